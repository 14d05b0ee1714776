"""Errors of a spec: where, at which path, and what in plain words. Every error of a file is raised at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

SpecPath = tuple[str | int, ...]

LONGEST_SHOWN = 40
LONGEST_MESSAGE = 400
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def dotted(path: SpecPath) -> str:
    """A path as people write it: ``claims[0].arm``, ``sweep.arms.small.training.epochs``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{one_line(part)}" if text else one_line(part)
    return text


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """The text on one line, without control characters, cut where it is long."""
    flat = _UNPRINTABLE.sub(lambda found: json.dumps(found.group())[1:-1], " ".join(text.split()))
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
    """One error of a spec.

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
        where = f"{self.file}:{self.line}:{self.column}" if self.line is not None else self.file
        return ": ".join(part for part in (where, self.path, self.message) if part)


class SpecErrors(Exception):
    """A spec cannot be used. Carries every error found, in the order of the file."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        unique = dict.fromkeys(errors)
        self.errors = tuple(sorted(unique, key=lambda error: (error.file, error.line or 0, error.column or 0)))
        super().__init__("\n".join(map(str, self.errors)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.errors,)
