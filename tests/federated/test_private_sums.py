"""Private checks: how far one device moves the sums, how much noise they have, and what all checks cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.federated.charging import account_of, price_of_checks
from tasks.federated.evaluation import EVALUATIONS, Evaluation
from tasks.federated.federation import Federation
from tasks.federated.noisy_sums import NoisySums
from tasks.federated.population import Population
from tasks.federated.scoring import ALL, Scorer
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tasks.privacy.privacy import no_privacy
from tests.federated.test_scoring import LABELS, metric, population, records, timeline
from tests.federated.trained import training

ROUNDS, EVERY, SIZE, DELTA = 30, 4, 500, 1e-5
CHECKS = 9
"""Before the first round, after 4, 8, ..., 28, and after the last."""
BLOCK = Federation.model_validate({"rounds": ROUNDS, "cohort_size": 50, "selection": {"kind": "uniform", "design": "poisson"}, "correction": {"kind": "equal"}})


def evaluation(devices: int = 200, **private: Any) -> Evaluation:
    found = EVALUATIONS.parse({"kind": "federated", "every": EVERY, "devices": devices, "private": {"delta": DELTA, **private}})
    assert isinstance(found, Evaluation)
    return found


def epsilon(releases: Sequence[tuple[float, float | None, int]]) -> float:
    """By dp-accounting itself."""
    import dp_accounting as dp
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for noise, rate, count in releases:
        gaussian = dp.GaussianDpEvent(noise)
        accountant.compose(gaussian if rate is None else dp.PoissonSampledDpEvent(rate, gaussian), count)
    return float(accountant.get_epsilon(DELTA))


def test_checks_by_themselves_cost_what_the_gaussian_mechanism_does() -> None:
    """Also in closed form: so many Gaussians are one of noise divided by the root of their number (Balle and Wang, ICML 2018, theorem 8)."""
    price = price_of_checks(BLOCK, evaluation(noise_multiplier=6.0), SIZE)
    assert price is not None and price.releases[0].count == CHECKS
    assert price.epsilon == pytest.approx(epsilon([(6.0, None, CHECKS)]), abs=1e-9)
    away = math.sqrt(CHECKS) / 6.0
    delta = stats.norm.cdf(away / 2 - price.epsilon / away) - math.exp(price.epsilon) * stats.norm.cdf(-away / 2 - price.epsilon / away)
    assert delta == pytest.approx(DELTA, rel=1e-2)


def test_a_target_is_of_all_checks_together() -> None:
    price = price_of_checks(BLOCK, evaluation(target_epsilon=1.0), SIZE)
    assert price is not None and 0.99 < price.epsilon <= 1.0
    assert epsilon([(price.noise_multiplier, None, CHECKS)]) == pytest.approx(price.epsilon, abs=1e-9)
    assert price_of_checks(BLOCK, EVALUATIONS.parse({"kind": "federated"}), SIZE) is None  # type: ignore[arg-type]


def test_weights_and_checks_are_one_account() -> None:
    privacy = DpFedAvg.model_validate({"kind": "dp-fedavg", "noise_multiplier": 2.0, "delta": DELTA})
    alone = account_of(BLOCK, privacy, SIZE, "reproducible", "user")
    both = account_of(BLOCK, privacy, SIZE, "reproducible", "user", evaluation(noise_multiplier=6.0))
    assert alone is not None and both is not None
    assert both.epsilon == pytest.approx(epsilon([(2.0, 0.1, ROUNDS), (6.0, None, CHECKS)]), abs=1e-9) and both.epsilon > alone.epsilon
    assert "checks" in both.record()["covers"] and "checks" not in alone.record()["covers"]
    target = DpFedAvg.model_validate({"kind": "dp-fedavg", "target_epsilon": 3.0, "delta": DELTA})
    found = account_of(BLOCK, target, SIZE, "reproducible", "user", evaluation(noise_multiplier=6.0))
    assert found is not None and 2.9 < found.epsilon <= 3.0
    assert account_of(BLOCK, no_privacy(), SIZE, "reproducible", "user", evaluation(noise_multiplier=6.0)) is None


def test_as_many_checks_are_made_as_are_paid_for(tmp_path: Path) -> None:
    rounds = training(tmp_path, rounds=9)
    rounds.every = EVERY
    rounds.run()
    price = price_of_checks(rounds.federation, evaluation(noise_multiplier=6.0), SIZE)
    assert price is not None and price.releases[0].count == len(rounds.progress.scores) == 4


def noisy(most_records: int = 3, noise_multiplier: float = 2.0, key: int = 0, most_loss: float = 4.0) -> NoisySums:
    return NoisySums((most_loss, 1.0), most_records, noise_multiplier, key)


def test_no_device_moves_the_sums_further_than_the_bound() -> None:
    """Nor one of a hundred records, with losses far above what they are cut at; without a bound on records it would."""
    generator = np.random.default_rng(0)
    device = np.concatenate([generator.integers(0, 20, size=60), np.full(100, 20)])
    sums = np.column_stack([np.where(device == 20, 1e6, generator.exponential(2.0, size=160)), np.ones(160)])
    coins = generator.random(160)

    def moved(given: NoisySums) -> float:
        whole, without = (given.of_devices(sums[some], device[some], coins[some]).sum(axis=0) for some in (device >= 0, device < 20))
        return float(np.linalg.norm(whole - without))

    assert moved(noisy()) == pytest.approx(noisy().sensitivity) == pytest.approx(3 * math.sqrt(2))
    assert moved(noisy(most_records=1000)) > 10 * noisy().sensitivity
    assert (np.linalg.norm(noisy().of_devices(sums, device, coins), axis=1) <= noisy().sensitivity + 1e-12).all()


def test_a_record_counts_by_its_own_coin() -> None:
    device, coins = np.array([0, 0, 0, 1]), np.array([0.9, 0.2, 0.4, 0.7])
    sums = np.column_stack([np.array([1.0, 2.0, 3.0, 9.0]), np.ones(4)])
    found = noisy(most_records=2).of_devices(sums, device, coins)
    assert found.tolist() == [[1.25, 2.0], [1.0, 1.0]], "the two of least coins, in units of 4, and a loss cut at 4"


def test_the_noise_of_each_release_has_the_stated_variance() -> None:
    """4,000 numbers: chi-square on the variance and normality of all, false alarm 2e-4 together; noise of 0.9 times the deviation is seen."""
    device, coins = np.arange(5), np.zeros(5)
    sums = np.column_stack([np.full(5, 2.0), np.ones(5)])
    exact = noisy().of_devices(sums, device, coins).sum(axis=0)
    given = [noisy(key=key) for key in range(200)]
    drawn = np.array([one.release(sums, device, coins, check)[0] / one.bounds - exact for one in given for check in range(10)])
    found = (drawn / (2.0 * 3 * math.sqrt(2))).ravel()

    def p_value(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        below = float(stats.chi2.cdf((values**2).sum(), len(values)))
        return 2 * min(below, 1 - below)

    assert p_value(found) > 1e-4 and stats.kstest(found, "norm").pvalue > 1e-4
    assert p_value(0.9 * found) < 1e-4
    assert len(np.unique(found)) == len(found), "each release has noise of its own"


def scorer(block: Evaluation, noise: NoisySums | None, size: int | None, there: Population) -> Scorer:
    from tasks.models.artifact import LoadedModel
    from tasks.models.model import MODELS, Architecture, TaskShape

    model = MODELS.parse({"kind": "linear", "bigram_buckets": 0, "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 4}})
    assert isinstance(model, Architecture)
    shape = TaskShape("intent", LABELS)
    made = model.start(shape, {}, 0)
    loaded = LoadedModel(made.model, made.encoder, made.network, shape, {})
    return Scorer(loaded, metric(), records(), there, block, timeline(1), 9, 0, noise, size)


def test_a_check_is_the_score_of_the_noisy_sums_of_devices() -> None:
    there, right = population(), (records()["label"] == "a").to_numpy()
    quiet = scorer(evaluation(devices=8, noise_multiplier=6.0), NoisySums((1.0, 1.0), 1000, 1e-9, 0), 8, there)
    (found,) = quiet.check(3, "cpu")
    held = there.test >= 0
    assert found.window == ALL and found.score == pytest.approx(right[held].mean(), abs=1e-6) and abs(found.n - held.sum()) <= 1
    loud = scorer(evaluation(devices=8, noise_multiplier=6.0), NoisySums((1.0, 1.0), 3, 6.0, 0), 8, there)
    scores = [loud.check(check, "cpu")[0].score for check in range(20)]
    assert len(set(scores)) > 1 and all(math.isnan(score) or 0 <= score <= 1 for score in scores)


def test_whether_a_device_is_asked_does_not_depend_on_who_else_is_there() -> None:
    """A coin per device of a public rate; the same ones of a fixed number would be displaced by a device that comes."""
    there = population()
    block, noise = evaluation(devices=4, noise_multiplier=6.0), NoisySums((1.0, 1.0), 1000, 1e-9, 0)
    whole = set(scorer(block, noise, 8, there)._device.tolist())
    for gone in range(8):
        without = Population(there.names, there.train, np.where(there.test == gone, -1, there.test), there.train_window, there.test_window)
        assert set(scorer(block, noise, 8, without)._device.tolist()) == whole - {gone}
    fixed = evaluation(devices=4, noise_multiplier=6.0)
    chosen = [
        set(scorer(fixed, None, None, part)._device.tolist())
        for part in (
            there,
            Population(
                there.names,
                there.train,
                np.where(there.test == min(scorer(fixed, None, None, there)._device), -1, there.test),
                there.train_window,
                there.test_window,
            ),
        )
    ]
    assert len(chosen[1] - chosen[0]) == 1, "positive control"


def test_only_one_amount_of_noise_is_named() -> None:
    for private in ({}, {"target_epsilon": 1.0, "noise_multiplier": 2.0}):
        with pytest.raises(ValueError, match="exactly one of target_epsilon and noise_multiplier"):
            EVALUATIONS.parse({"kind": "federated", "private": private})


def test_metrics_say_what_bounds_their_sums() -> None:
    table = pd.DataFrame({"label": ["a", "b"], "predicted": ["a", "a"], "loss": [1.0, 9.0]})
    for kind, most_loss in (("accuracy", None), ("loss", 2.0)):
        bounds = type(metric(kind)).record_bounds(most_loss)
        assert bounds is not None and metric(kind).score(table).sums.shape[1] == len(bounds)
        assert (metric(kind).score(table).sums[:, -1] == 1).all()
    assert type(metric("loss")).record_bounds(None) is None and type(metric("macro-f1")).record_bounds(2.0) is None
