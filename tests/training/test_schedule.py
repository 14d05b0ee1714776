"""Learning-rate schedules against closed forms and another library."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from tasks.training.training import Schedule

STEPS = 40


@pytest.mark.parametrize("warmup", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_factors_have_their_closed_form(kind: str, warmup: float) -> None:
    schedule = Schedule.model_validate({"kind": kind, "warmup": warmup})
    shapes: dict[str, Callable[[float], float]] = {
        "constant": lambda share: 1.0,
        "linear": lambda share: 1 - share,
        "cosine": lambda share: math.cos(share * math.pi / 2) ** 2,
    }
    rise = int(warmup * STEPS)
    found = [schedule.factor(step, STEPS) for step in range(STEPS)]
    assert found[:rise] == pytest.approx([(step + 1) / (rise + 1) for step in range(rise)])
    assert found[rise:] == pytest.approx([shapes[kind](step / (STEPS - rise)) for step in range(STEPS - rise)])
    assert all(0 < factor <= 1 for factor in found) and max(found) == 1


@pytest.mark.parametrize(("kind", "maker"), [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)])
def test_after_the_rise_the_library_of_transformers_agrees(kind: str, maker: object) -> None:
    """Its rise begins at a rate of zero, ours does not waste the first step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    library = maker(optimizer, 10, STEPS)  # type: ignore[operator]
    schedule = Schedule.model_validate({"kind": kind, "warmup": 0.25})
    for step in range(STEPS):
        if step >= 10:
            assert schedule.factor(step, STEPS) == pytest.approx(library.get_last_lr()[0])
        optimizer.step()
        library.step()
