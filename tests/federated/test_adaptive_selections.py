"""Strategies that learn from rounds: slow twins of their formulas, brute force, and what each is for.

Statistical tests hold counts to exact probabilities at level 1e-4 over the number of counts; seeds are fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.federated.history import Heard, History
from tasks.federated.selections._cohorts import candidates
from tasks.federated.selections._facility import greedy, stochastic_greedy
from tasks.federated.selections._intervals import mean_intervals
from tasks.federated.selections._utility import exploited_utility, paced
from tasks.federated.selections.afl import AFL
from tasks.federated.selections.oort import Oort
from tests.federated.views import ACTIVITY, AWAY, COHORT, agrees, generator, heard, history, selection, told, view

# AFL


def afl_twin(strategy: AFL, activity: Sequence[int], losses: Sequence[float]) -> list[float]:
    """Probabilities of AFL, device by device."""
    values = []
    for records, loss in zip(activity, losses, strict=True):
        worth = math.sqrt(records) * loss if strategy.valuation == "root-n-loss" else loss / math.sqrt(records)
        values.append(-math.inf if math.isnan(loss) else worth)
    for device in sorted(range(len(values)), key=lambda device: (values[device], device))[: int(strategy.alpha1 * len(values))]:
        values[device] = -math.inf
    weights = [(0.0 if value == -math.inf else math.exp(strategy.alpha2 * value)) + 0.01 for value in values]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("valuation", ["root-n-loss", "loss-over-root-n"])
@pytest.mark.parametrize(("alpha1", "alpha2"), [(0.75, 0.01), (0.0, 1.0), (0.4, 0.2), (1.0, 0.5)])
def test_afl_probabilities(valuation: str, alpha1: float, alpha2: float) -> None:
    strategy = selection("afl", alpha1=alpha1, alpha2=alpha2, valuation=valuation)
    assert isinstance(strategy, AFL)
    for rounds in (0, 2, 12):
        seen = view(away=AWAY, rounds=history(rounds))
        among = candidates(seen)
        twin = afl_twin(strategy, seen.activity[among].tolist(), seen.history.mean_loss[among].tolist())
        assert strategy.probabilities(seen, among) == pytest.approx(twin, rel=1e-10)


def test_afl_draws_by_its_probabilities() -> None:
    strategy, seen = selection("afl", alpha1=0.5, alpha2=0.3, alpha3=0.0), view([4] * 8, rounds=[heard(range(8), mean_loss=np.arange(1, 9))])
    assert isinstance(strategy, AFL)
    counts = np.zeros(8, dtype=np.int64)
    for number in range(5000):
        counts[strategy.draw(seen, 1, generator(number)).clients] += 1
    assert agrees(counts, 5000, strategy.probabilities(seen, np.arange(8)).tolist())
    assert not agrees(counts, 5000, [1 / 8] * 8)


def test_afl_does_not_overflow_and_prefers_what_each_valuation_says() -> None:
    seen = view([1, 100], rounds=[heard([0, 1], mean_loss=[2.0, 1.0])])
    for valuation, first in (("root-n-loss", 1), ("loss-over-root-n", 0)):
        strategy = selection("afl", alpha1=0, alpha2=100.0, valuation=valuation)
        assert isinstance(strategy, AFL) and strategy.probabilities(seen, np.arange(2))[first] == pytest.approx(1)


# Power-of-choice


def test_power_of_choice_asks_candidates_and_takes_the_highest_losses() -> None:
    for number in range(30):
        devices = told(len(ACTIVITY), number)
        cohort = selection("power-of-choice", candidates=12).draw(view(away=AWAY, devices=devices), COHORT, generator(number))
        (asked,) = devices.asked
        assert len(asked) == 12 and set(cohort.clients) <= set(asked)
        assert sorted(devices.loss[cohort.clients]) == sorted(devices.loss[asked])[-COHORT:]


def test_power_of_choice_draws_candidates_by_records() -> None:
    counts = np.zeros(4, dtype=np.int64)
    for number in range(5000):
        devices = told(4)
        selection("power-of-choice", candidates=1).draw(view([1, 2, 3, 6], devices=devices), 1, generator(number))
        counts[devices.asked[0]] += 1
    assert agrees(counts, 5000, [1 / 12, 2 / 12, 3 / 12, 6 / 12])


def test_stale_losses_cost_nothing_and_put_the_unheard_first() -> None:
    devices = told(20)
    strategy = selection("power-of-choice", candidates=20, loss="stale")
    seen = view([5] * 20, rounds=[heard(range(15), mean_loss=np.arange(15))], devices=devices)
    first = strategy.draw(seen, 3, generator(0)).clients.tolist()
    assert set(first) <= set(range(15, 20)) and not devices.asked
    assert len({tuple(strategy.draw(seen, 3, generator(number)).clients) for number in range(20)}) > 3
    assert strategy.draw(seen, 7, generator(0)).clients.tolist() == [13, 14, 15, 16, 17, 18, 19]


# Oort


def oort_twin(strategy: Oort, activity: NDArray[np.int64], known: Sequence[int], rounds: Sequence[Heard], penalised: bool = True) -> list[float]:
    """Scores of devices heard of, from a walk through all rounds, one device at a time."""
    last: dict[int, tuple[int, float, float]] = {}
    percentile, gained = strategy.percentile, []
    for number, told_ in enumerate(rounds, start=1):
        again = []
        for place, client in enumerate(told_.clients.tolist()):
            if client in last:
                again.append(float(told_.examples[place] * told_.rms_loss[place]))
            last[client] = (number, float(told_.rms_loss[place]), float(told_.seconds[place]))
        gained.append(sum(again) / len(again) if again else 0.0)
        if number % strategy.pacer_step == 0 and number >= 2 * strategy.pacer_step:
            lately, before = sum(gained[-strategy.pacer_step :]), sum(gained[-2 * strategy.pacer_step : -strategy.pacer_step])
            if abs(lately - before) <= 0.1 * before:
                percentile = min(100.0, percentile + strategy.pacer_delta)
            elif abs(lately - before) >= 5 * before:
                percentile = max(strategy.pacer_delta, percentile - strategy.pacer_delta)
    durations = sorted(seconds for _, _, seconds in last.values())
    preferred = durations[min(int(len(durations) * percentile / 100), len(durations) - 1)] if percentile < 100 else math.inf
    utility = {client: float(activity[client]) * last[client][1] for client in known}
    ranked = sorted(utility.values())
    ceiling, lowest = ranked[min(int(len(ranked) * strategy.clip), len(ranked) - 1)], ranked[0] * 0.999
    scores = []
    for client in known:
        score = (min(utility[client], ceiling) - lowest) / max(ranked[-1] - lowest, 1e-4)
        score += math.sqrt(0.1 * math.log(len(rounds) + 1) / last[client][0])
        if penalised and last[client][2] > preferred:
            score *= (preferred / last[client][2]) ** strategy.penalty
        scores.append(score)
    return scores


@pytest.mark.parametrize("rounds", [1, 5, 39, 40, 41, 80, 130])
@pytest.mark.parametrize("step", [20, 3])
def test_oort_scores(rounds: int, step: int) -> None:
    strategy = selection("oort", pacer_step=step, pacer_delta=15)
    assert isinstance(strategy, Oort)
    seen = view(away=AWAY, rounds=history(rounds))
    among = candidates(seen)
    known = among[seen.history.times_heard[among] > 0]
    twin = oort_twin(strategy, seen.activity, known.tolist(), seen.history.rounds)
    assert strategy.scores(seen, known) == pytest.approx(twin, rel=1e-10)
    unpenalised = oort_twin(strategy, seen.activity, known.tolist(), seen.history.rounds, penalised=False)
    # After 130 rounds of step 3 the pacer admits all.
    assert rounds == 1 or step == 3 or strategy.scores(seen, known) != pytest.approx(unpenalised, rel=1e-3)


def rounds_of_utility(levels: Sequence[float]) -> list[Heard]:
    """Rounds in which two devices answer with a utility."""
    return [heard([0, 1], number, examples=[1, 1], rms_loss=[level, level]) for number, level in enumerate(levels)]


def test_the_pacer_relaxes_when_utility_stalls_and_tightens_when_it_leaps() -> None:
    def after(levels: Sequence[float]) -> float:
        return paced(rounds_of_utility(levels), 2, 30.0, 4, 5.0)

    # Nobody is exploited in the first round, so sums of four rounds are 3, 4, 4, ...
    assert after([1] * 8) == 30 and after([1] * 11) == 30 and after([1] * 12) == 35 and after([1] * 16) == 40
    assert after([4] * 4 + [2] * 4) == 30
    assert after([1] * 4 + [9] * 4) == 25
    assert after([1] * 400) == 100


def test_exploited_are_those_heard_before() -> None:
    rounds = [
        heard([0, 1], examples=[1, 1], rms_loss=[5, 5]),
        heard([], 1),
        heard([1, 2], examples=[2, 9], rms_loss=[3, 9]),
        heard([0, 1, 2], examples=[1, 1, 1], rms_loss=[1, 2, 6]),
    ]
    assert exploited_utility(rounds, 4).tolist() == [0, 0, 6, 3]
    assert exploited_utility([], 4).tolist() == []


@pytest.mark.parametrize("rounds", [1, 10, 60])
def test_oort_divides_the_cohort_between_exploring_and_exploiting(rounds: int) -> None:
    known = list(range(60))
    seen = view([5] * 400, rounds=[heard(known, number) for number in range(rounds)])
    share = max(0.9 * 0.98**rounds, 0.3)
    for number in range(5):
        drawn = selection("oort").draw(seen, 20, generator(number)).clients
        assert np.count_nonzero(drawn < 60) == int(20 * (1 - share))


def test_oort_explores_large_devices_first_and_not_beyond_its_steps() -> None:
    activity = np.array([1] * 100 + [1000] * 30 + [30] * 30)
    counts = np.zeros(160)
    for number in range(300):
        drawn = selection("oort", steps=5, exploration_floor=1.0).draw(view(activity, rounds=[heard([0])], batch_size=4), 10, generator(number)).clients
        counts[drawn] += 1
    assert not counts[:100].any()
    # 20 examples are all that either can train on, so neither is preferred: 1500 expected of each kind, standard deviation below 28.
    assert abs(counts[100:130].sum() - 1500) < 140


def test_oort_exploits_quick_devices_of_high_loss() -> None:
    # The devices differ in loss (0 to 9 low, 10 to 19 high) and in speed (odd ones slow).
    loss = np.where(np.arange(20) < 10, 0.1, 3.0)
    seconds = np.where(np.arange(20) % 2 == 1, 100.0, 1.0)
    seen = view([10] * 20, rounds=[heard(range(20), number, rms_loss=loss, seconds=seconds) for number in range(9)])
    counts = np.zeros(20)
    for number in range(400):
        counts[selection("oort").draw(seen, 3, generator(number)).clients] += 1
    high_quick, low_quick, slow = counts[10::2].sum(), counts[:10:2].sum(), counts[1::2].sum()
    assert high_quick > 1.3 * low_quick and slow < 0.01 * counts.sum()
    blind = np.zeros(20)
    for number in range(400):
        blind[selection("oort", penalty=0).draw(seen, 3, generator(number)).clients] += 1
    assert blind[1::2].sum() > 0.4 * blind.sum()


def test_oort_begins_uniformly() -> None:
    counts = np.zeros(len(ACTIVITY), dtype=np.int64)
    seen = view(away=AWAY)
    for number in range(5000):
        counts[selection("oort").draw(seen, COHORT, generator(number)).clients] += 1
    here = seen.available
    assert agrees(counts[here], 5000, [COHORT / here.sum()] * int(here.sum()))


# DivFL


def objective(gradients: NDArray[np.float32], chosen: Sequence[int]) -> float:
    """What facility location lowers, by loops."""
    return sum(min(math.dist(row, gradients[other]) for other in chosen) for row in gradients)


@pytest.mark.parametrize("seed", range(8))
def test_greedy_facility_location(seed: int) -> None:
    gradients = np.random.default_rng(seed).normal(size=(9, 3)).astype(np.float32)
    chosen: list[int] = []
    for _ in range(4):
        chosen.append(min((row for row in range(9) if row not in chosen), key=lambda row: objective(gradients, [*chosen, row])))
    assert greedy(gradients, 4).tolist() == chosen
    assert stochastic_greedy(gradients, 4, generator(seed)).tolist() == chosen  # so few that every part is all
    best = min(objective(gradients, some) for some in itertools.combinations(range(9), 4))
    first = max(objective(gradients, [row]) for row in range(9))
    assert best <= objective(gradients, chosen) and first - objective(gradients, chosen) >= (1 - 1 / math.e) * (first - best)


def test_stochastic_greedy_is_nearly_as_good() -> None:
    gradients = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    random = np.mean([objective(gradients, np.random.default_rng(seed).choice(300, 30, replace=False).tolist()) for seed in range(5)])
    exact, quick = (objective(gradients, found.tolist()) for found in (greedy(gradients, 30), stochastic_greedy(gradients, 30, generator(0))))
    assert len(set(stochastic_greedy(gradients, 30, generator(0)))) == 30
    assert exact < quick * 1.001 and quick - exact < 0.1 * (random - exact)


def test_divfl_takes_one_of_each_group_and_asks_only_candidates() -> None:
    devices = told(60)
    centres = np.eye(5, dtype=np.float32) * 10
    devices.gradient = centres[np.arange(60) % 5] + np.random.default_rng(0).normal(scale=0.01, size=(60, 5)).astype(np.float32)
    cohort = selection("divfl", candidates=40).draw(view([3] * 60, devices=devices), 5, generator(0))
    assert sorted(cohort.clients % 5) == [0, 1, 2, 3, 4]
    assert len(devices.asked[0]) == 40 and set(cohort.clients) <= set(devices.asked[0])
    selection("divfl", candidates=None).draw(view([3] * 60, devices=devices), 5, generator(0))
    assert len(devices.asked[1]) == 60


def test_divfl_among_equal_gradients_draws_distinct_devices() -> None:
    devices = told(10)
    devices.gradient = np.ones((10, 5), dtype=np.float32)
    assert selection("divfl").draw(view([3] * 10, devices=devices), 4, generator(0)).clients.tolist() == [0, 1, 2, 3]
    assert len(set(stochastic_greedy(devices.gradient, 4, generator(0)))) == 4


# FedAU


def interval_twin(participated: Sequence[bool], cutoff: int) -> float:
    """The estimate of one device, kept up round by round."""
    intervals, waiting = [], 0
    for there in participated:
        waiting += 1
        if there or waiting == cutoff:
            intervals.append(waiting)
            waiting = 0
    return sum(intervals) / len(intervals) if intervals else 1.0


@pytest.mark.parametrize("cutoff", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("rounds", [0, 1, 2, 6, 7, 8, 30, 120])
def test_participation_intervals(rounds: int, cutoff: int) -> None:
    past = history(rounds, cohort=4)
    there = [[device in told_.clients for told_ in past] for device in range(len(ACTIVITY))]
    wanted = np.array([0, 3, 4, 17, 29, 30, 31])
    twin = [interval_twin(there[device], cutoff) for device in wanted]
    assert mean_intervals(past, len(ACTIVITY), wanted, cutoff) == pytest.approx(twin, rel=1e-12)
    strategy, seen = selection("participation-history", cutoff=cutoff), view(rounds=past)
    cohort = strategy.draw(seen, COHORT, generator(rounds))
    assert cohort.expected == pytest.approx([1 / interval_twin(there[device], cutoff) for device in cohort.clients], rel=1e-12)
    assert mean_intervals(past, len(ACTIVITY), wanted[:0], cutoff).tolist() == []


def test_participation_rates_are_learned_where_availability_is_unknown() -> None:
    rate = np.array([0.9, 0.9, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2])
    past = History(8)
    took_part = np.zeros(8)
    for number in range(3000):
        seen = view([1] * 8)
        seen.available[:] = np.random.default_rng(number).random(8) < rate
        drawn = selection("uniform").draw(seen, 2, generator(number)).clients
        took_part[drawn] += 1
        past.extend([heard(drawn)])
    estimated = 1 / mean_intervals(past.rounds, 8, np.arange(8), 50)
    # Long intervals are cut once in (1 - p)^50, so the estimate is the frequency to within a few rounds in 3,000.
    assert estimated == pytest.approx(took_part / 3000, rel=0.02)
    assert estimated[0] > 3 * estimated[7]
