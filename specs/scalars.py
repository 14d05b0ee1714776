"""What a plain YAML scalar means: the core schema of YAML 1.2, so ``no``, ``on`` and ``12:30`` are text and ``1e-5`` is a number."""

from __future__ import annotations

import math
import re

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Scalar = str | int | float | bool | None
LARGEST = 2**63


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises ValueError for a number that is not finite or too large."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    for pattern, base in ((_INTEGER, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return _integer(text, base)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("must be a finite number")
    if _NUMBER.fullmatch(text):
        return _finite(float(text))
    return quoted(text)


def quoted(text: str) -> str:
    """The value of a quoted scalar. Raises ValueError where it holds control characters."""
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    return text


def _integer(text: str, base: int) -> int:
    value = int(text, base) if len(text) < 40 else LARGEST
    if abs(value) >= LARGEST:
        raise ValueError("is too large a number")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("is too large a number")
    return value
