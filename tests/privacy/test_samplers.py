"""Samplers beside Poisson's: truncated, of fixed size, groups in turn; users whole; and what each is accounted as."""

from __future__ import annotations

import itertools
import math

import dp_accounting as dp
import numpy as np
import pytest
import torch
from dp_accounting.dp_event import TruncatedSubsampledGaussianDpEvent
from dp_accounting.pld import PLDAccountant
from scipy import stats

from tasks.privacy.accountant import accountants
from tasks.privacy.accounting import bounds
from tasks.privacy.accounts import together
from tasks.privacy.ceiling import auc_ceiling
from tasks.privacy.mechanism import Mechanism
from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.sampler import SAMPLERS, Batches, Examples, Sampler, Schedule
from tasks.privacy.sharing import ByUnit
from tests.privacy.settings import gaussian, high, sampled

KEY = 2**200 + 99
RECORDS = 400
SCHEDULE = Schedule(public_size=400, expected_batch_size=40, epochs=6)


def sampler(kind: str, **fields: object) -> Sampler:
    found = SAMPLERS.parse({"kind": kind, **fields})
    assert isinstance(found, Sampler)
    return found


def noise(kind: str, **fields: object) -> Noise:
    found = NOISES.parse({"kind": kind, **fields})
    assert isinstance(found, Noise)
    return found


def batches(found: Sampler, records: int = RECORDS, schedule: Schedule = SCHEDULE, key: int = KEY) -> Batches:
    return found.batches(Examples(torch.arange(records)), schedule, key)


def test_a_truncated_batch_is_a_poisson_batch_or_a_part_of_it_drawn_by_lot() -> None:
    whole, cut = batches(sampler("poisson")), batches(sampler("truncated-poisson", max_batch_size=42))
    places = []
    for step in range(600):
        one, other = whole[step], cut[step]
        assert len(other) == min(42, len(one)) and set(other.tolist()) <= set(one.tolist())
        places += [index for index, record in enumerate(one.tolist()) if record in set(other.tolist())] if len(one) == 50 else []
    assert stats.chisquare(np.bincount(places, minlength=50)).pvalue > 1e-6
    assert torch.equal(batches(sampler("truncated-poisson", max_batch_size=42))[5], cut[5])


def test_a_truncated_batch_is_accounted_by_its_own_event() -> None:
    mechanism = Mechanism(sampler("truncated-poisson", max_batch_size=45).releases(SCHEDULE, noise("constant"), 1.0))
    event = dp.SelfComposedDpEvent(TruncatedSubsampledGaussianDpEvent(400, 0.1, 45, 1.0), 60)
    assert high("pld", mechanism) == pytest.approx(PLDAccountant().compose(event).get_epsilon(1e-5), abs=1e-9)
    plain = Mechanism(sampler("poisson").releases(SCHEDULE, noise("constant"), 1.0))
    assert high("pld", mechanism) > high("pld", plain) + 0.1
    roomy = Mechanism(sampler("truncated-poisson", max_batch_size=100).releases(SCHEDULE, noise("constant"), 1.0))
    assert high("pld", roomy) == pytest.approx(high("pld", plain), abs=1e-2)
    assert set(bounds(mechanism, 1e-5)) == {"pld"} and accountants()["rdp"].unsupported(mechanism) and accountants()["prv"].unsupported(mechanism)


def test_a_sample_of_fixed_size_has_that_size_and_takes_everybody_as_often() -> None:
    found = batches(sampler("fixed-size"))
    counts = np.zeros(RECORDS)
    for step in range(500):
        one = found[step].tolist()
        assert len(one) == len(set(one)) == 40
        counts[one] += 1
    assert stats.chisquare(counts).pvalue > 1e-6


def test_a_sample_of_fixed_size_takes_half_the_multiplier() -> None:
    """N 10,000, b 100, 1,000 steps, noise as large as the clip norm: 20.99; the multiplier as it is would claim 3.576."""
    releases = sampler("fixed-size").releases(Schedule(10_000, 100, 10), noise("constant"), 1.0)
    mechanism = Mechanism(releases, "replace-one")
    assert set(bounds(mechanism, 1e-5)) == {"rdp"} and high("rdp", mechanism) == pytest.approx(20.99, abs=5e-3)
    assert high("rdp", Mechanism(sampler("fixed-size").releases(Schedule(10_000, 100, 10), noise("constant"), 2.0), "replace-one")) == pytest.approx(
        3.576, abs=5e-3
    )
    assert accountants()["rdp"].unsupported(Mechanism(releases)) and accountants()["pld"].unsupported(mechanism)
    assert auc_ceiling(mechanism) is None


def test_trainings_of_fixed_size_compose_with_each_other_and_with_others() -> None:
    from collections import Counter

    fixed = Mechanism(sampler("fixed-size").releases(Schedule(10_000, 100, 10), noise("constant"), 4.0), "replace-one")
    alone = together(Counter({fixed: 1}), 1e-5)
    assert alone == pytest.approx(high("rdp", fixed)) and alone < together(Counter({fixed: 2}), 1e-5) < 2 * alone
    other = gaussian(20.0, adjacency="replace-one")
    added = together(Counter({fixed: 1, other: 1}), 1e-5)
    assert added == pytest.approx(high("rdp", fixed, 5e-6) + high("pld", other, 5e-6))


def test_groups_take_turns_and_stay_as_they_are() -> None:
    found = batches(sampler("cyclic", separation=10))
    groups = [found[step] for step in range(10)]
    assert sorted(record for group in groups for record in group.tolist()) == list(range(RECORDS))
    assert all(torch.equal(found[step], groups[step % 10]) for step in range(60))
    assert stats.chisquare([len(group) for group in groups]).pvalue > 1e-6
    fewer = batches(sampler("cyclic", separation=10), RECORDS - 1)
    assert all(torch.equal(fewer[step], found[step][found[step] < RECORDS - 1]) for step in range(10))
    assert any(not torch.equal(batches(sampler("cyclic", separation=10), key=KEY + 1)[step], groups[step]) for step in range(10))


@pytest.mark.parametrize(("epochs", "times"), [(6, 6), (5.5, 6), (0.3, 1)])
def test_groups_in_turn_are_one_release_of_all_their_turns(epochs: float, times: int) -> None:
    schedule = Schedule(400, 40, epochs)
    [release] = sampler("cyclic", separation=4).releases(schedule, noise("constant"), 3.0)
    found = batches(sampler("cyclic", separation=4), schedule=schedule)
    taken = np.bincount(np.concatenate([found[step].numpy() for step in range(schedule.steps)]), minlength=RECORDS)
    assert taken.max() == times and (release.rate, release.count) == (None, 1)
    assert release.noise_multiplier == pytest.approx(3.0 / math.sqrt(times))
    assert high("pld", Mechanism((release,))) == pytest.approx(high("pld", gaussian(3.0, times)), abs=1e-3)


def factor(bands: int, steps: int) -> np.ndarray:
    """The factorization as a matrix."""
    found = np.zeros((steps, steps))
    for row, column in itertools.product(range(steps), repeat=2):
        if 0 <= row - column < bands:
            found[row, column] = noise("banded", bands=bands).coefficients[row - column]
    return found


@pytest.mark.parametrize(("bands", "separation", "steps"), [(1, 3, 11), (3, 3, 11), (3, 4, 12), (4, 5, 12)])
def test_a_banded_release_has_the_noise_of_the_worst_way_to_take_part(bands: int, separation: int, steps: int) -> None:
    """Over every way to take part in turn, gradients of one length and of any sign."""
    matrix, worst = factor(bands, steps), 0.0
    for first in range(separation):
        columns = matrix[:, list(range(first, steps, separation))]
        worst = max(worst, max(float(np.linalg.norm(columns @ np.array(signs))) for signs in itertools.product((-1, 1), repeat=columns.shape[1])))
    schedule = Schedule(separation, 1, steps / separation)
    [release] = sampler("cyclic", separation=separation).releases(schedule, noise("banded", bands=bands), 2.0)
    assert release.noise_multiplier <= 2.0 / worst * (1 + 1e-9)
    assert release.noise_multiplier == pytest.approx(2.0 / worst, rel=0.05)


def test_bands_that_overlap_would_cost_more_than_is_accounted() -> None:
    matrix = factor(4, 12)
    overlapping = float(np.linalg.norm(matrix[:, list(range(0, 12, 2))].sum(axis=1)))
    assert overlapping > 1.2 * math.sqrt(6) * float(np.linalg.norm(matrix[:, 0]))


def test_the_factor_is_the_square_root_of_prefix_sums() -> None:
    whole = factor(12, 12)
    assert np.allclose(whole @ whole, np.tril(np.ones((12, 12))))


def test_users_are_whole_and_no_more_than_so_many_of_their_examples_take_part() -> None:
    users = torch.from_numpy(np.random.default_rng(0).integers(0, 60, 900))
    users = torch.unique(users, return_inverse=True)[1]
    found = sampler("poisson").batches(Examples(users, 4), Schedule(60, 12, 30), KEY)
    times, places = np.zeros(60), np.zeros(900)
    for step in range(2000):
        batch = found[step]
        counts = torch.bincount(users[batch], minlength=60)
        have = torch.bincount(users, minlength=60)
        assert len(set(batch.tolist())) == len(batch) and bool(((counts == 0) | (counts == have.clamp(max=4))).all())
        times += (counts > 0).numpy()
        places[batch.numpy()] += 1
    assert min(stats.binomtest(int(count), 2000, 0.2).pvalue for count in times) > 1e-6 / 60
    one = (users == 0).nonzero().squeeze(1).numpy()
    assert stats.chisquare(places[one]).pvalue > 1e-6
    later = sampler("poisson").batches(Examples(users[users < 59], 4), Schedule(60, 12, 30), KEY)
    kept = (users < 59).nonzero().squeeze(1)
    assert {int(user) for user in users[kept][later[7]]} == {int(user) for user in users[found[7]]} - {59}


def test_a_user_counts_as_one_however_many_examples_it_has() -> None:
    users = torch.tensor([0, 0, 0, 1, 2, 2])
    owners, weights = ByUnit(users)(torch.tensor([0, 2, 3, 4, 5]), 0)
    assert owners.tolist() == [0, 0, 1, 2, 2] and weights.tolist() == [0.5, 0.5, 1.0, 0.5, 0.5]


def test_other_samplers_leave_what_poisson_costs_as_it_is() -> None:
    assert high("pld", sampled("B")) == pytest.approx(1.1337, abs=1e-3)
