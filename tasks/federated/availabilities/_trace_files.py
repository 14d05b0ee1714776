"""Files of traces, read with one line on what is wrong. No heavy library: this runs when a spec is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Recorded = tuple[list[float], list[float], float]
"""Seconds at which a device came, at which it went, and at which its trace ends."""


def read(path: Path) -> dict[str, Recorded]:
    """The traces of a file by device. Raises ValueError."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read as JSON ({error}); FedScale's own file is a pickle: write it as JSON first") from error
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'{path.name} must hold {{"device": {{"active": [...], "inactive": [...], "finish_time": seconds}}, ...}}')
    return {name: _recorded(path.name, name, content[name]) for name in sorted(content)}


def _recorded(file: str, name: str, trace: Any) -> Recorded:
    said = f"{file}: device '{name}'"
    if not isinstance(trace, Mapping) or not {"active", "inactive", "finish_time"} <= set(trace):
        raise ValueError(f"{said} must have active, inactive and finish_time")
    came, went, end = trace["active"], trace["inactive"], trace["finish_time"]
    if not (_seconds(came) and _seconds(went) and len(came) == len(went)):
        raise ValueError(f"{said}: active and inactive must be lists of seconds of one length")
    if not _seconds([end]) or end == 0:
        raise ValueError(f"{said}: finish_time must be a number of seconds above 0")
    wrong = next((place for place, (start, stop) in enumerate(zip(came, went, strict=True)) if stop < start), None)
    if wrong is not None:
        raise ValueError(f"{said}: stretch {wrong + 1} ends (inactive {went[wrong]:g}) before it begins (active {came[wrong]:g})")
    return came, went, float(end)


def _seconds(values: Any) -> bool:
    """Whether it is a list of numbers from 0 on."""
    return isinstance(values, list) and all(type(value) in (int, float) and math.isfinite(value) and value >= 0 for value in values)
