"""What a device hands over, and what the server sums."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.federated.contributions import contribution
from tasks.federated.jobs import Job
from tasks.federated.totals import RunningTotal
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule


def flat(clip_norm: float) -> ClipRule:
    found = CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": clip_norm})
    assert isinstance(found, ClipRule)
    return found


def weights(seed: int, scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 4, generator=generator) * scale, torch.randn(5, generator=generator) * scale]


def job(weight: float) -> Job:
    return Job(0, np.arange(2), 1, 1, 2, 0, weight)


def length(parts: list[Tensor]) -> float:
    return float(torch.cat([part.double().flatten() for part in parts]).norm())


@pytest.mark.parametrize("scale", [0.1, 1.0, 50.0])
def test_no_weight_makes_a_contribution_longer_than_the_clip(scale: float) -> None:
    sent, after = weights(0), weights(1)
    given = contribution(after, sent, scale, flat(1.5))
    free = [scale * (one.double() - other.double()) for one, other in zip(after, sent, strict=True)]
    assert length(given.tensors) <= 1.5
    assert given.unclipped == (length(free) <= 1.5)
    expected = [part * min(1.0, 1.5 / length(free)) for part in free]
    assert all(torch.allclose(one.double(), other, rtol=1e-5, atol=1e-7) for one, other in zip(given.tensors, expected, strict=True))


def test_weighting_after_the_clip_would_be_seen() -> None:
    sent, after = weights(0), weights(1)
    clipped_first = [3.0 * part for part in contribution(after, sent, 1.0, flat(1.5)).tensors]
    assert length(clipped_first) > 1.5 * 1.01


def test_a_running_sum_is_the_sum_of_contributions() -> None:
    sent, given = weights(0), [0.2, 0.5, 0.3]
    running, one_by_one = RunningTotal(sent), RunningTotal(sent)
    for seed, weight in enumerate(given, start=1):
        running.add(job(weight), weights(seed))
        one_by_one.receive(job(weight), contribution(weights(seed), sent, weight))
    assert all(torch.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in zip(running.sum(), one_by_one.sum(), strict=True))
    assert running.received == one_by_one.received == 3


def test_one_device_more_moves_the_sum_by_at_most_the_clip() -> None:
    sent = weights(0)
    without, with_one = RunningTotal(sent, flat(0.7), 10.0), RunningTotal(sent, flat(0.7), 10.0)
    for seed in range(1, 6):
        for total in (without, with_one):
            total.add(job(0.1), weights(seed, scale=0.05 * seed))
    with_one.add(job(25.0), weights(9, scale=100.0))
    moved = length([one - other for one, other in zip(with_one.sum(), without.sum(), strict=True)])
    assert 0.69 < moved <= 0.7
    assert with_one.received == 6 and with_one.unclipped == without.unclipped


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e300])
def test_a_device_that_left_the_numbers_gives_nothing(wrong: float) -> None:
    after = [part * wrong for part in weights(1)]
    given = contribution(after, weights(0), 1.0, flat(1.0))
    assert length(given.tensors) == 0.0 and not given.unclipped
