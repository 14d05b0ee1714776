"""Errors of a spec: where, at which path, and what in plain words. Every error of a file is raised at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

SpecPath = tuple[str | int, ...]

LONGEST_SHOWN = 40
LONGEST_MESSAGE = 400
LONGEST_PATH = 150
MOST_ERRORS = 200


def dotted(path: SpecPath) -> str:
    """A path as people write it: ``claims[0].arm``, ``sweep.arms.small.training.epochs``."""
    text = ""
    for part in path:
        name = f"[{part}]" if isinstance(part, int) else one_line(part) or "''"
        text += f".{name}" if text and isinstance(part, str) else name
    return text


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """The text on one line, without control characters, cut where it is long."""
    flat = " ".join(text.split())[: longest + 1]
    if not flat.isprintable():
        flat = "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in flat)
    return flat if len(flat) <= longest else f"{flat[: longest - 3]}..."


def shown(value: Any) -> str:
    """A value as an error quotes it: short, so that no record of people's text ends up in a message."""
    if isinstance(value, dict):
        return "a block of keys"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, str):
        return f"'{one_line(value, LONGEST_SHOWN)}'"
    if value is None:
        return "nothing"
    return one_line(json.dumps(value, default=str), LONGEST_SHOWN)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'epochs'?`` where a known word is near, else nothing."""
    choices = list(known)
    folded = {choice.lower().replace("_", "-"): choice for choice in reversed(choices)}
    close = get_close_matches(word[:100].lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return f"; did you mean '{one_line(folded[close[0]], 80)}'?" if close else ""


@dataclass(frozen=True)
class SpecError:
    """One error of a spec; as text it is one printable line of under 1,000 characters.

    Args:
        file: the file as the user named it, or the name of an object.
        line, column: from 1; None where the spec is no file.
        path: dotted path of the key, empty for the whole file.
        message: what is wrong, one line.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{one_line(self.file)}:{self.line}:{self.column}" if self.line is not None else one_line(self.file)
        return ": ".join(part for part in (where, one_line(self.path, LONGEST_PATH), one_line(self.message)) if part)


class SpecErrors(Exception):
    """A spec cannot be used. Carries every error found, in the order of the file; past ``MOST_ERRORS`` the last one says that more follow."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        found = sorted(dict.fromkeys(errors), key=lambda error: (error.file, error.line or 0, error.column or 0))
        if len(found) > MOST_ERRORS + 1:
            found[MOST_ERRORS:] = [replace(found[MOST_ERRORS], path="", message="more errors follow; mend these first")]
        self.errors = tuple(found)
        super().__init__("\n".join(map(str, self.errors)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.errors,)
