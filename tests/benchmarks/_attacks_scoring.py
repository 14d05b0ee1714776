"""Scores of membership attacks given the losses: 10,000 records, 16 shadow models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tasks.attacks._membership import log_odds
from tasks.attacks._shadowed import Shadows
from tasks.attacks.attack import ATTACKS
from tasks.attacks.shadowed import ShadowedAttack

RECORDS, SHADOWS, REPEATS = 10_000, 16, 5
TARGET = 2.0
SCORED: dict[str, dict[str, Any]] = {
    "lira online": {"kind": "lira", "shadows": SHADOWS},
    "lira per-record": {"kind": "lira", "shadows": SHADOWS, "variance": "per-record"},
    "lira offline": {"kind": "lira", "shadows": SHADOWS, "mode": "offline"},
    "rmia offline": {"kind": "rmia", "references": SHADOWS},
    "rmia online": {"kind": "rmia", "references": SHADOWS, "mode": "online"},
}


def scoring_rows(records: int = RECORDS) -> Iterator[dict[str, Any]]:
    """The median seconds of each, from losses to scores."""
    draw = np.random.default_rng(0)
    losses, target = draw.exponential(size=(SHADOWS, records)), draw.exponential(size=records)
    inside = draw.random((SHADOWS, records)) < 0.5
    for name, fields in SCORED.items():
        attack = ATTACKS.parse(fields)
        assert isinstance(attack, ShadowedAttack)
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            table = pd.DataFrame({"loss": target, "logit": log_odds(target)})
            scores = attack.compare(table, Shadows(log_odds(losses), inside))
            seconds.append(time.perf_counter() - began)
            assert np.isfinite(scores).all() and len(scores) == records
        value = float(np.median(seconds))
        yield {"name": f"scoring/{name}/{records} records", "value": value, "unit": "s", "target": TARGET, "met": value < TARGET}
