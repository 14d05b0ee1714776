"""Batches: every example once an epoch, in an order that follows from seed and epoch alone."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from tasks.training.batching import ShuffledBatches


def lengths(count: int) -> torch.Tensor:
    return torch.randint(1, 30, (count,), generator=torch.Generator().manual_seed(count))


def epoch(batches: ShuffledBatches, number: int) -> list[list[int]]:
    return [batches[step].tolist() for step in range(number * batches.per_epoch, (number + 1) * batches.per_epoch)]


@given(some.integers(1, 300), some.integers(1, 64), some.integers(0, 3))
def test_every_example_comes_once_an_epoch(count: int, size: int, number: int) -> None:
    found = epoch(ShuffledBatches(lengths(count), size, 7), number)
    assert sorted(index for batch in found for index in batch) == list(range(count))
    assert sum(len(batch) != min(size, count) for batch in found) <= 1


def test_a_step_needs_none_before_it() -> None:
    first, second = (ShuffledBatches(lengths(100), 8, 7) for _ in range(2))
    walked = [first[step].tolist() for step in range(60)]
    assert [second[step].tolist() for step in (59, 3, 31)] == [walked[59], walked[3], walked[31]]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    batches = ShuffledBatches(lengths(100), 8, 7)
    assert epoch(batches, 0) != epoch(batches, 1)
    assert epoch(batches, 0) != epoch(ShuffledBatches(lengths(100), 8, 8), 0)


def test_alike_lengths_stand_together_and_yet_every_place_is_random() -> None:
    """Less padding than a plain shuffle; where an example comes in an epoch is uniform (chi-square, false-alarm rate 1e-6)."""
    sizes = lengths(640)
    batches = ShuffledBatches(sizes, 16, 7)
    shuffled = torch.randperm(640, generator=torch.Generator().manual_seed(1)).reshape(-1, 16).tolist()
    padded, plain = (sum(int(sizes[batch].max()) * len(batch) for batch in found) for found in (epoch(batches, 0), shuffled))
    assert padded < 0.75 * plain
    longest = int(sizes.argmax())
    places = [next(place for place, batch in enumerate(epoch(batches, number)) if longest in batch) for number in range(400)]
    counts = torch.bincount(torch.tensor(places) // 4, minlength=10).numpy()
    assert stats.chisquare(counts).pvalue > 1e-6


@given(count=some.integers(1, 60), size=some.integers(1, 20), steps=some.integers(0, 40))
def test_examples_are_those_of_the_steps(count: int, size: int, steps: int) -> None:
    batches = ShuffledBatches(torch.arange(count) % 7, size, 3)
    assert batches.examples(steps) == sum(len(batches[step]) for step in range(steps))
