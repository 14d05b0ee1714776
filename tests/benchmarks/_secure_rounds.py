"""Rounds of secure aggregation at size, from keys to the sum, with devices that drop out: seconds of each part.

A row's target is that of the whole round with neighbours as ``auto`` counts them; all others as neighbours is the protocol of Bonawitz et al.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.federated.secure.protocol import SecureRound, secret
from tasks.federated.secure_aggregation import SecureAggregation

DEVICES, PARAMETERS, DROPPED = 100, 1_000_000, 5
LIMIT_SECONDS = 10.0


@dataclass(frozen=True)
class Setting:
    """A graph and a width, and how long a round may take."""

    name: str
    block: SecureAggregation
    limit: float | None


SETTINGS = (
    Setting("neighbours auto", SecureAggregation(), LIMIT_SECONDS),
    Setting("neighbours auto, 64 bits", SecureAggregation(bits=36), None),
    Setting("all others neighbours", SecureAggregation(neighbours=DEVICES - 1), None),
)


def row(name: str, value: float, unit: str, limit: float | None = None) -> dict[str, Any]:
    """One line of the table; a target is an upper limit."""
    return {"name": name, "value": float(f"{value:.4g}"), "unit": unit, "target": limit, "met": None if limit is None else value <= limit}


def secure_rows(repeats: int = 3) -> Iterator[dict[str, Any]]:
    """The median of some rounds of each setting, its parts, and how far its sum is from the plain one."""
    vector = np.random.default_rng(0).normal(size=PARAMETERS)
    for setting in SETTINGS:
        found = sorted((_round(setting.block, vector) for _ in range(repeats)), key=lambda round: sum(round[0].values()))
        parts, error, stated = found[repeats // 2]
        neighbours = setting.block.neighbours_of(DEVICES, 0)
        name = f"secure aggregation, {DEVICES} devices x {PARAMETERS:,}, {DROPPED} drop out, {setting.name} ({neighbours})"
        yield row(f"{name}: round", sum(parts.values()), "s", setting.limit)
        for part, seconds in parts.items():
            yield row(f"{name}: {part}", seconds, "s")
        yield row(f"{name}: largest error of the sum", error, "", stated)
    yield row("load of the machine in the last minute", os.getloadavg()[0], "")


def _round(block: SecureAggregation, vector: Any) -> tuple[dict[str, float], float, float]:
    """Seconds by part, the largest error, and the stated precision."""
    times = [time.perf_counter()]
    made = SecureRound(block, range(DEVICES), PARAMETERS, 0, secret)
    times.append(time.perf_counter())
    for device in range(DROPPED, DEVICES):
        made.submit(device, vector)
    times.append(time.perf_counter())
    total = made.total()
    times.append(time.perf_counter())
    seconds = dict(zip(("keys and shares", "encoding and masks", "unmasking"), np.diff(times).tolist(), strict=True))
    left = DEVICES - DROPPED
    return seconds, float(np.abs(total - left * vector).max()), made.fixed_point.precision(left)
