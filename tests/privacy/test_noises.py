"""Noise schedules: what each step adds is what is composed, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.privacy.mechanism import Mechanism, Release
from tasks.privacy.noise import NOISES, Noise
from tests.privacy.settings import high

SCHEDULES: list[dict[str, Any]] = [
    {"kind": "constant"},
    {"kind": "exponential", "decay": 0.9},
    {"kind": "exponential", "decay": 0.5, "floor": 0.3},
    {"kind": "linear", "last": 0.4},
    {"kind": "step", "factor": 0.5, "every": 3},
]


def noise(**fields: Any) -> Noise:
    found = NOISES.parse(fields)
    assert isinstance(found, Noise)
    return found


@pytest.mark.parametrize("fields", SCHEDULES, ids=lambda fields: str(fields["kind"]))
@given(steps=some.integers(1, 300), stages=some.integers(1, 40))
def test_what_is_composed_is_what_each_step_adds(fields: dict[str, Any], steps: int, stages: int) -> None:
    found = noise(**fields, **({} if fields["kind"] == "constant" else {"stages": stages}))
    composed = [multiplier for multiplier, length in found.runs(1.3, steps) for _ in range(length)]
    assert composed == [found.multiplier(1.3, step, steps) for step in range(steps)]


def test_the_published_schedule_costs_what_its_steps_cost() -> None:
    """1.2 x 0.9^e, ten epochs of a hundred steps at a rate of 0.01 and delta 1e-5: 9.199; its mean would claim 3.351."""
    runs = noise(kind="exponential", decay=0.9, stages=10).runs(1.2, 1000)
    assert [multiplier for multiplier, _ in runs] == pytest.approx([1.2 * 0.9**epoch for epoch in range(10)]) and {length for _, length in runs} == {100}
    mechanism = Mechanism(tuple(Release(multiplier, 0.01, steps) for multiplier, steps in runs))
    assert high("pld", mechanism) == pytest.approx(9.199, abs=1e-2)


def test_shapes_in_numbers() -> None:
    assert [multiplier for multiplier, _ in noise(kind="linear", last=0.5, stages=3).runs(2.0, 30)] == [2.0, 1.5, 1.0]
    assert [multiplier for multiplier, _ in noise(kind="step", factor=0.5, every=2, stages=5).runs(1.0, 50)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert noise(kind="linear", stages=1).runs(2.0, 7) == [(2.0, 7)]
