"""Who takes part in a step: a coin per record and step, drawn from (key, step) alone; and what a sampler that is not so would show."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.sampler import SAMPLERS, Batches, Examples, Sampler, Schedule

KEY = 2**200 + 12345
FALSE_ALARM = 1e-6
"""Of each test below, whatever the number of records and steps."""
RECORDS, STEPS = 200, 3000
SCHEDULE = Schedule(public_size=160, expected_batch_size=16, epochs=300)

Coins = NDArray[np.bool_]


def sampler(kind: str) -> Sampler:
    found = SAMPLERS.parse({"kind": kind})
    assert isinstance(found, Sampler)
    return found


def poisson(records: int, schedule: Schedule = SCHEDULE, key: int = KEY) -> Batches:
    return sampler("poisson").batches(Examples(torch.arange(records)), schedule, key)


def coins(batches: Callable[[int], Tensor], records: int = RECORDS, steps: int = STEPS) -> Coins:
    """Who took part, (steps, records)."""
    found = np.zeros((steps, records), dtype=bool)
    for step in range(steps):
        found[step, batches(step).numpy()] = True
    return found


def suspicions(found: Coins, rate: float) -> set[str]:
    """What speaks against independent coins of a rate. Each p-value is two-sided and compared with the false-alarm rate.

    ``records``: binomial, of each record, with Bonferroni's correction. ``sizes``: chi-square of the batch sizes' variance, which sees
    dependence between records. ``times``: the same of how often each record came, which sees dependence over steps. ``neighbours`` and
    ``repeats``: both of two records that follow each other in a step, and the same record in two steps that follow each other (normal).
    """
    steps, records = found.shape
    variance = rate * (1 - rate)
    each = min(stats.binomtest(int(count), steps, rate).pvalue for count in found.sum(axis=0)) * records
    centred = found - rate
    p_values = {
        "records": each,
        "sizes": both_tails(float((centred.sum(axis=1) ** 2).sum() / (records * variance)), steps),
        "times": both_tails(float((centred.sum(axis=0) ** 2).sum() / (steps * variance)), records),
        "neighbours": normal(centred[:, 1:] * centred[:, :-1], variance),
        "repeats": normal(centred[1:] * centred[:-1], variance),
    }
    return {name for name, value in p_values.items() if value < FALSE_ALARM}


def both_tails(statistic: float, degrees: int) -> float:
    return float(2 * min(stats.chi2.cdf(statistic, degrees), stats.chi2.sf(statistic, degrees)))


def normal(products: NDArray[np.float64], variance: float) -> float:
    return float(2 * stats.norm.sf(abs(products.sum()) / (variance * math.sqrt(products.size))))


def test_every_record_takes_part_by_a_coin_of_its_own_in_every_step() -> None:
    assert SCHEDULE.rate == 0.1
    assert suspicions(coins(poisson(RECORDS).__getitem__), SCHEDULE.rate) == set()


def test_a_rate_of_one_takes_everybody() -> None:
    assert coins(poisson(7, Schedule(5, 5, 3)).__getitem__, 7, 5).all()


def fixed_size(step: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(step).permutation(RECORDS)[:20])


def held_over(step: int) -> Tensor:
    return poisson(RECORDS)[step // 2]


def in_pairs(step: int) -> Tensor:
    return (2 * poisson(RECORDS // 2)[step].unsqueeze(1) + torch.arange(2)).flatten()


def uneven(step: int) -> Tensor:
    chosen = torch.from_numpy(np.random.default_rng(step).random(RECORDS) < np.where(np.arange(RECORDS) % 2, 0.07, 0.13))
    return chosen.nonzero().squeeze(1)


def true_size(step: int) -> Tensor:
    """A rate that follows from the number of records there are, 200, where the public number is 160."""
    return poisson(RECORDS, Schedule(RECORDS, 16, 300))[step]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [(fixed_size, {"sizes"}), (held_over, {"repeats", "times"}), (in_pairs, {"neighbours", "sizes"}), (uneven, {"records", "times"}), (true_size, {"records"})],
)
def test_a_sampler_that_is_not_poisson_would_be_seen(fault: Callable[[int], Tensor], seen: set[str]) -> None:
    assert seen <= suspicions(coins(fault), SCHEDULE.rate)


def test_a_batch_may_be_empty_and_is_as_often_as_coins_say() -> None:
    """Binomial, false-alarm rate 1e-6."""
    schedule = Schedule(public_size=100, expected_batch_size=1, epochs=1)
    batches = poisson(120, schedule)
    sizes = [len(batches[step]) for step in range(3000)]
    assert stats.binomtest(sizes.count(0), len(sizes), 0.99**120).pvalue > FALSE_ALARM
    empty = batches[sizes.index(0)]
    assert empty.dtype == torch.long and empty.shape == (0,)


@pytest.mark.parametrize("kind", ["poisson", "shuffle"])
def test_a_draw_follows_from_key_and_step_alone(kind: str) -> None:
    records = torch.arange(RECORDS).repeat_interleave(torch.arange(RECORDS) % 3 + 1)
    first, second, other = (sampler(kind).batches(Examples(records), SCHEDULE, key) for key in (KEY, KEY, KEY + 1))
    walked = [first[step].tolist() for step in range(30)]
    torch.manual_seed(1)
    np.random.seed(1)
    assert [second[step].tolist() for step in reversed(range(30))] == walked[::-1]
    assert all(other[step].tolist() != walked[step] for step in range(30))
    assert len({tuple(batch) for batch in walked}) == 30


def test_who_comes_last_changes_nobody_elses_coins() -> None:
    """With windows too: which one of a text is drawn does not depend on later texts."""
    for records in (torch.arange(RECORDS), torch.arange(RECORDS).repeat_interleave(torch.arange(RECORDS) % 4 + 1)):
        with_last = sampler("poisson").batches(Examples(records), SCHEDULE, KEY)
        without = sampler("poisson").batches(Examples(records[records < RECORDS - 1]), SCHEDULE, KEY)
        taken = 0
        for step in range(300):
            batch = with_last[step]
            assert torch.equal(batch[records[batch] < RECORDS - 1], without[step])
            taken += len(batch) - len(without[step])
        assert 0 < taken < 100


LENGTHS = torch.arange(RECORDS) % 5 + 1
WINDOWS = torch.arange(RECORDS).repeat_interleave(LENGTHS)


def test_at_most_one_window_of_a_record_is_in_a_step_and_each_as_likely() -> None:
    """The records' coins as above; the windows by records of equal length."""
    batches = sampler("poisson").batches(Examples(WINDOWS), SCHEDULE, KEY)
    first = torch.cumsum(LENGTHS, 0) - LENGTHS
    places: dict[int, list[int]] = {length: [] for length in range(1, 6)}

    def records(step: int) -> Tensor:
        batch = batches[step]
        found = WINDOWS[batch]
        assert len(set(found.tolist())) == len(found)
        for record, place in zip(found.tolist(), (batch - first[found]).tolist(), strict=True):
            places[int(LENGTHS[record])].append(place)
        return found

    assert suspicions(coins(records), SCHEDULE.rate) == set()
    assert all(evenly(found, length) for length, found in places.items())


def evenly(places: list[int], length: int) -> bool:
    """Whether each window came as often, by chi-square, false-alarm rate 1e-6."""
    counts = np.bincount(places, minlength=length)
    return len(counts) == length and (length == 1 or stats.chisquare(counts).pvalue > FALSE_ALARM)


def test_a_window_that_is_preferred_would_be_seen() -> None:
    draws = np.random.default_rng(1).random(12000)
    assert evenly((3 * draws).astype(int).tolist(), 3)
    assert not evenly((3 * draws**1.2).astype(int).tolist(), 3) and not evenly((4 * draws).astype(int).tolist(), 3)


def test_coins_of_windows_instead_of_records_would_be_seen() -> None:
    """A text of five windows would take part far more often than the account says."""
    windows = poisson(len(WINDOWS))
    assert "records" in suspicions(coins(lambda step: WINDOWS[windows[step]]), SCHEDULE.rate)


def test_a_text_without_windows_is_passed_over() -> None:
    records = torch.tensor([0, 0, 2, 2, 2, 3])
    batches = sampler("poisson").batches(Examples(records), Schedule(4, 4, 1), KEY)
    assert all(records[batches[step]].tolist() == [0, 2, 3] for step in range(20))


@pytest.mark.parametrize("kind", ["poisson", "shuffle"])
def test_no_records_give_empty_batches(kind: str) -> None:
    batches = sampler(kind).batches(Examples(torch.zeros(0, dtype=torch.long)), SCHEDULE, KEY)
    assert all(len(batches[step]) == 0 for step in range(20))


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize(("records", "public_size", "size"), [(200, 200, 20), (200, 160, 16), (150, 160, 50), (7, 160, 16)])
def test_shuffled_passes_take_every_record_once_an_epoch(windows: bool, records: int, public_size: int, size: int) -> None:
    """In as many batches as the public size asks for, of sizes that differ by one at most."""
    each = torch.arange(records).repeat_interleave(torch.arange(records) % 3 + 1) if windows else torch.arange(records)
    schedule = Schedule(public_size, size, 3)
    batches = sampler("shuffle").batches(Examples(each), schedule, KEY)
    per_epoch = math.ceil(public_size / size)
    orders = []
    for epoch in range(3):
        found = [each[batches[step]].tolist() for step in range(epoch * per_epoch, (epoch + 1) * per_epoch)]
        orders.append([record for batch in found for record in batch])
        assert sorted(orders[-1]) == list(range(records))
        assert max(map(len, found)) - min(map(len, found)) <= 1
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize(("public_size", "size", "epochs"), [(100, 30, 10), (100, 20, 3), (23, 20, 30), (10, 2, 0.3), (5, 5, 2), (160, 50, 0.5)])
def test_shuffled_passes_are_accounted_for_every_pass_that_is_begun(public_size: int, size: int, epochs: float) -> None:
    schedule = Schedule(public_size, size, epochs)
    noise = NOISES.parse({"kind": "constant"})
    assert isinstance(noise, Noise)
    [release] = sampler("shuffle").releases(schedule, noise, 1.5)
    batches = sampler("shuffle").batches(Examples(torch.arange(public_size)), schedule, KEY)
    taken = max(np.bincount(np.concatenate([batches[step].numpy() for step in range(schedule.steps)]), minlength=public_size))
    assert (release.rate, release.noise_multiplier) == (None, 1.5) and release.count >= taken
    assert max(1, round(epochs * batches.per_epoch)) == schedule.steps  # as the loop counts its steps


@pytest.mark.parametrize(("epochs", "size", "public_size", "steps"), [(3, 16, 160, 30), (0.01, 16, 160, 1), (2, 200, 160, 2), (1, 3, 10, 3), (30, 20, 23, 35)])
def test_rate_and_steps_follow_from_public_numbers(epochs: float, size: int, public_size: int, steps: int) -> None:
    schedule = Schedule(public_size, size, epochs)
    assert schedule.rate == min(1.0, size / public_size) and schedule.steps == steps
    for records in (1, public_size - 1, public_size, public_size + 1, 10 * public_size):
        assert poisson(records, schedule).per_epoch == schedule.per_epoch
