"""Validation errors in plain words, each at the path of the spec that a person wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from specs.errors import SpecPath, did_you_mean, one_line, shown
from specs.places import Place

MOST_LISTED = 15

_WANTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "none_required": "empty",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "model_attributes_type": "a block of keys",
    "dataclass_type": "a block of keys",
    "path_type": "a path",
}

_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}

_LENGTHS = {
    "too_short": ("min_length", "must have no fewer entries than {}"),
    "too_long": ("max_length", "must have no more entries than {}"),
    "string_too_short": ("min_length", "must have at least {} characters"),
    "string_too_long": ("max_length", "must have at most {} characters"),
}

_FOLLOWING = ("default_factory_not_called",)
"""Errors that only say that another value, told of already, is wrong."""


@dataclass(frozen=True)
class _Located:
    """A validation error at its path; ``union`` is the path of the choice it belongs to, ``branch`` which one was tried."""

    path: SpecPath
    parent: Place | None
    place: Place | None
    error: Any
    union: SpecPath | None
    branch: str | None


def explain(error: ValidationError, root: type[BaseModel], values: Any) -> Iterator[tuple[SpecPath, str]]:
    """Path and message of everything that validation found."""
    start = Place(root, values)
    located = [_locate(detail, start) for detail in error.errors(include_url=False) if detail["type"] not in _FOLLOWING]
    located = [item for item in located if not _follows(item, located)]
    told: set[SpecPath] = set()
    for item in located:
        if item.union is None:
            yield _told(item)
        elif item.union not in told:
            told.add(item.union)
            yield from _choice([other for other in located if other.union == item.union])


def _follows(item: _Located, located: Sequence[_Located]) -> bool:
    """Whether a list counts as too short only because its entries are wrong."""
    below = (other for other in located if len(other.path) > len(item.path))
    return item.error["type"] == "too_short" and any(other.path[: len(item.path)] == item.path for other in below)


def _locate(detail: Any, start: Place) -> _Located:
    """Take what is no key out of an error's location: the kinds of components and the names of a choice's branches."""
    path: list[str | int] = []
    place: Place | None = start
    parent: Place | None = None
    union: SpecPath | None = None
    branch: str | None = None
    tagged = False
    for part in detail["loc"]:
        if place is not None and place.family is not None and not tagged:
            tagged = True
            if isinstance(place.value, dict) and part == place.value.get("kind"):
                continue
        if place is not None and isinstance(part, str) and part != "[key]" and _is_branch(place, part):
            union, branch = tuple(path), part
            continue
        if part == "[key]":
            continue
        path.append(part)
        parent = place
        place = place.below(part) if place is not None else None
        tagged = False
    return _Located(tuple(path), parent, place, detail, union, branch)


def _is_branch(place: Place, part: str) -> bool:
    """Whether a part of a location is no key of the value here: it names the branch of a choice that was tried."""
    if isinstance(place.value, dict) and part in place.value:
        return False
    return part not in (place.keys or ())


def _choice(tried: Sequence[_Located]) -> Iterator[tuple[SpecPath, str]]:
    """One message for a value that fits no branch of a choice, or the errors of the branch whose type it has."""
    mismatched = {item.branch for item in tried if item.path == item.union and _is_mismatch(item.error)}
    fitting = [item for item in tried if item.branch not in mismatched]
    if fitting:
        yield from (_told(item) for item in fitting if item.branch == fitting[0].branch)
        return
    wanted = dict.fromkeys(_wanted(item.error) for item in tried if item.path == item.union)
    words = [text for item in tried for text in _expected(item.error)]
    value = tried[0].error["input"]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    yield tried[0].union or (), f"must be {' or '.join(wanted)} (got {shown(value)}){hint}"


def _is_mismatch(error: Any) -> bool:
    return error["type"] in _WANTED or error["type"] in ("literal_error", "enum")


def _wanted(error: Any) -> str:
    if error["type"] in _WANTED:
        return _WANTED[error["type"]]
    words = _expected(error)
    if len(words) > 1:
        return f"one of {listed(words)}"
    return words[0] if words[0].isdigit() else f"'{words[0]}'"


def _expected(error: Any) -> list[str]:
    """The words that a literal may be."""
    if error["type"] not in ("literal_error", "enum"):
        return []
    text = str(error["ctx"]["expected"]).replace(" or ", ", ")
    return [{"True": "true", "False": "false"}.get(word, word.strip("'")) for word in text.split(", ")]


def listed(words: Iterable[str]) -> str:
    """``'a', 'b'``, cut where there are many."""
    names = [f"'{one_line(word, 80)}'" for word in words]
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def _told(item: _Located) -> tuple[SpecPath, str]:
    kind = item.error["type"]
    if kind == "extra_forbidden":
        return item.path, unknown_key(item.parent, str(item.error["loc"][-1]))
    if kind == "union_tag_invalid":
        return (*item.path, "kind"), _unknown_kind(item)
    if kind == "union_tag_not_found":
        return item.path, f"needs a 'kind': {listed(item.place.kinds if item.place is not None else ())}"
    if kind == "value_error":
        return _below(item.path, str(item.error["ctx"]["error"]), item.error["input"])
    return item.path, _message(item.error)


def _below(path: SpecPath, message: str, value: Any) -> tuple[SpecPath, str]:
    """A component's own sentence; one that begins with the path of a key of its block, as ``columns.text: ...``, is told there."""
    start, colon, rest = message.partition(": ")
    keys = start.split(".")
    for key in keys if colon else ():
        if not isinstance(value, dict) or key not in value:
            break
        value = value[key]
    else:
        if colon:
            return (*path, *keys), _own_words(rest, value)
    return path, _own_words(message, value)


def _unknown_kind(item: _Located) -> str:
    kinds = item.place.kinds if item.place is not None else ()
    tag = str(item.error["ctx"]["tag"])
    hint = did_you_mean(tag, kinds) or f"; the kinds are {listed(kinds)}"
    return f"unknown kind '{one_line(tag, 60)}'{hint}"


def unknown_key(parent: Place | None, key: str) -> str:
    """What to say about a key that a block does not have."""
    known = (parent.keys or ()) if parent is not None else ()
    return "unknown key" + (did_you_mean(key, known) or (f"; the keys are {listed(known)}" if known else ""))


def _message(error: Any) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    got = f"(got {shown(value)})"
    if kind == "missing":
        return "is required"
    if _is_mismatch(error):
        hint = did_you_mean(value, _expected(error)) if isinstance(value, str) else ""
        quotes = "; put it in quotes if text is meant" if kind == "string_type" and isinstance(value, int | float) else ""
        return f"must be {_wanted(error)} {got}{hint}{quotes}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g} {got}" if isinstance(context[name], float) else f"{words} {context[name]} {got}"
    if kind in _LENGTHS:
        name, words = _LENGTHS[kind]
        return f"{words.format(context[name])} {got}"
    if kind == "string_pattern_mismatch":
        return f"must match {one_line(str(context['pattern']), 80)} {got}"
    if kind == "assertion_error":
        return _own_words(str(context.get("error", error["msg"])), value)
    return one_line(error["msg"])


def _own_words(message: str, value: Any) -> str:
    """A component's own sentence, with the value where that is one plain thing the sentence does not quote."""
    sentence = one_line(message) or "is not valid"
    if not isinstance(value, str | int | float) or str(value) in message:
        return sentence
    return f"{sentence} (got {shown(value)})"
