"""A small valid spec, and what loading says of a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.errors import SpecError, SpecErrors
from specs.loading import Loaded, load

SMALL = """\
kind: dp-training
name: small
data: {kind: synthetic-assistant, examples: 100, task: intent}
model: {kind: linear}
"""
"""Four lines, so that what a test adds begins on line 5."""

TABLE = "utterance,intent,uid\nturn it on,on,a\nturn it off,off,b\n"


def write(folder: Path, text: str | bytes, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, text: str) -> Loaded:
    return load(write(folder, text))


def refused(folder: Path, text: str | bytes) -> tuple[SpecError, ...]:
    """Every error of a text that must not load."""
    with pytest.raises(SpecErrors) as caught:
        load(write(folder, text))
    return caught.value.errors
