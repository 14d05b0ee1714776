"""Randomness without history, and numbers that carry their conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.core.measures import Measures, Row
from tasks.core.seeds import derive, numpy_generator, torch_generator, torch_seeded, uniform


def test_a_seed_depends_on_its_arguments_alone() -> None:
    first = derive(1, "noise", 2, "a")
    derive(9, "other")
    assert derive(1, "noise", 2, "a") == first
    others = {derive(2, "noise", 2, "a"), derive(1, "noises", 2, "a"), derive(1, "noise", 3, "a"), derive(1, "noise", 2, "b")}
    assert first not in others and len(others) == 4


def test_parts_cannot_run_together() -> None:
    assert derive(1, "a", 11) != derive(1, "a", 1, 1)
    assert derive(11, "a") != derive(1, "1a")


def test_coins_are_uniform() -> None:
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-6; a planted skew is caught."""
    coins = np.array([uniform(3, "pool", entity) for entity in range(4000)])
    assert stats.kstest(coins, "uniform").pvalue > 1e-6
    assert stats.kstest(coins**1.3, "uniform").pvalue < 1e-6


def test_generators_restart_where_they_were() -> None:
    assert numpy_generator(1, "x", 5).integers(1 << 40) == numpy_generator(1, "x", 5).integers(1 << 40)
    assert torch_generator(1, "x", 5).initial_seed() == torch_generator(1, "x", 5).initial_seed()


def test_torch_is_seeded_inside_only() -> None:
    import torch

    before = torch.get_rng_state()
    with torch_seeded(1, "dropout", 3):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with torch_seeded(1, "dropout", 3):
        assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": float("inf")},
        {"value": float("nan")},
        {"value": None},
        {"value": 1.0, "status": "undefined", "reason": "no items"},
        {"value": None, "status": "undefined"},
        {"value": 1.0, "low": 0.5},
        {"value": 1.0, "low": 0.5, "high": 1.5},
    ],
)
def test_a_number_without_its_conditions_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Row.model_validate({"name": "utility/accuracy", **fields})


def test_measures_are_kept_whole(tmp_path: Path) -> None:
    rows = (
        Row(name="utility/accuracy", value=0.9, low=0.8, high=0.95, n=100, interval="items", direction="higher", conditions={"data": "d"}),
        Row(name="utility/slot_f1", value=None, status="unsupported", reason="no slots"),
    )
    Measures(rows, {"id": ["a", "b"], "correct": [1, 0]}).save(tmp_path)
    assert Measures.load_rows(tmp_path) == rows
    assert (tmp_path / "items.parquet").exists()
    assert Measures.load_rows(tmp_path / "elsewhere") == ()
