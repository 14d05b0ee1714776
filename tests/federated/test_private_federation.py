"""DP-FedAvg and DP-FTRL over devices: who takes part, what is summed, what is accounted for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tasks.federated.aggregation import PrivateAggregation
from tasks.federated.charging import account_of
from tasks.federated.contributions import Contribution, contribution
from tasks.federated.federation import Federation
from tasks.federated.jobs import Job
from tasks.federated.local import trained_names
from tasks.federated.totals import Asked, LongerThanTheClip, RunningTotal
from tasks.privacy.account import Account
from tasks.privacy.counting import CountTooDear
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tests.federated.trained import DEVICES, owners, private_aggregation, training, weights

COINS = {"kind": "uniform", "design": "poisson"}
ACTIVE = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 30, "public_activity": 150}
EQUAL = {"kind": "equal"}
FLAT = {"rule": {"kind": "flat", "l2_clip_norm": 0.5}}
ADAPTS = {"rule": {"kind": "adaptive-quantile", "initial": 0.3}}
BANDED = {"noise": {"kind": "banded", "bands": 3}}
NOISE = {"noise_multiplier": 1.5, "clipping": FLAT}


def account(federation: dict[str, Any], public_size: int = 10_000, **privacy: Any) -> Account:
    block = Federation.model_validate({"rounds": 100, "cohort_size": 100, "selection": COINS, "correction": EQUAL, **federation})
    found = account_of(block, DpFedAvg.model_validate({"kind": "dp-fedavg", "delta": 1e-5, **privacy}), public_size, "reproducible", "user")
    assert found is not None
    return found


def composed(noise_multiplier: float, rate: float | None, count: int, delta: float = 1e-5) -> float:
    """By dp-accounting itself."""
    import dp_accounting as dp
    from dp_accounting.pld import PLDAccountant

    gaussian = dp.GaussianDpEvent(noise_multiplier)
    event = dp.SelfComposedDpEvent(gaussian if rate is None else dp.PoissonSampledDpEvent(rate, gaussian), count)
    return float(PLDAccountant().compose(event).get_epsilon(delta))


def test_epsilon_of_uniform_coins_is_dp_accountings() -> None:
    assert account({}, noise_multiplier=1.0).epsilon == pytest.approx(composed(1.0, 0.01, 100), abs=1e-9)


def test_epsilon_is_that_of_the_largest_rate_and_not_of_the_mean() -> None:
    active = {"selection": {**ACTIVE, "activity_cap": 200, "public_activity": 100_000}}
    found = account(active, noise_multiplier=1.0)
    assert found.schedule.rate == pytest.approx(0.2) and found.epsilon == pytest.approx(composed(1.0, 0.2, 100), abs=1e-9)
    assert found.epsilon > 3 * account({}, noise_multiplier=1.0).epsilon  # as many devices are asked, each as often on average
    assert found.guarantee.startswith("simulated: user-level (")


def test_no_admissible_device_pays_more_than_the_one_at_the_cap() -> None:
    selection = {**ACTIVE, "activity_cap": 200, "public_activity": 100_000}
    block = Federation.model_validate({"rounds": 100, "cohort_size": 100, "selection": selection, "correction": EQUAL})
    activity = np.unique(np.geomspace(1, 5000, 32).astype(np.int64))
    rates = block.selection.public_rates(activity, 100, 10_000)
    assert rates is not None and rates.max() == block.largest_rate(10_000)
    prices = [composed(1.0, float(rate), 100) for rate in np.unique(rates)[:: len(rates) // 6]]
    assert prices == sorted(prices) and prices[-1] <= account({"selection": selection}, noise_multiplier=1.0).epsilon + 1e-9


def test_devices_that_are_always_asked_have_no_amplification() -> None:
    always = {"selection": {**ACTIVE, "activity_cap": 200, "public_activity": 100}}
    assert account(always, noise_multiplier=10.0).epsilon == pytest.approx(composed(10.0, None, 100), abs=1e-9)


@pytest.mark.parametrize(("separation", "bands"), [(10, 1), (10, 10), (25, 8)])
def test_devices_that_rest_are_accounted_for_as_often_as_they_come(separation: int, bands: int) -> None:
    noise = {"kind": "banded", "bands": bands} if bands > 1 else {"kind": "constant"}
    found = account({"separation": separation, "selection": {**ACTIVE, "public_activity": 1}}, noise_multiplier=8.0, noise=noise)
    column = [1.0]
    for index in range(1, bands):
        column.append(column[-1] * (2 * index - 1) / (2 * index))
    length = math.sqrt(math.ceil(100 / separation) * sum(value**2 for value in column))
    assert found.epsilon == pytest.approx(composed(8.0 / length, None, 1), abs=1e-9)


def test_noise_is_calibrated_to_the_largest_rate() -> None:
    selection = {**ACTIVE, "activity_cap": 200, "public_activity": 100_000}
    found = account({"selection": selection}, target_epsilon=3.0)
    assert 2.97 < found.epsilon <= 3.0 and found.epsilon == pytest.approx(composed(found.noise_multiplier, 0.2, 100), abs=1e-9)


def aggregation(**privacy: Any) -> tuple[PrivateAggregation, list[torch.Tensor]]:
    block = Federation.model_validate({"rounds": 40, "cohort_size": 4, "selection": COINS, "correction": EQUAL})
    network = torch.nn.Linear(40, 50, bias=False)
    work = type("Work", (), {"parameters": dict(network.named_parameters()), "trained": trained_names(network, ())})
    return private_aggregation(block, {**NOISE, **privacy}, work, 11), [network.weight.detach().clone()]  # type: ignore[arg-type]


def sums(found: PrivateAggregation, sent: list[torch.Tensor], updates: list[torch.Tensor], round: int) -> torch.Tensor:
    total = found.begin(sent, Asked(round, tuple(range(len(updates)))))
    for client, update in enumerate(updates):
        total.add(Job(client, np.arange(1), 1, 1, 1, 0, 0.25), [sent[0] + update])
    ended = found.end(total, round)
    assert ended is not None
    return ended[0]


@pytest.mark.parametrize("came", [0, 1, 9])
def test_noise_of_a_round_has_the_stated_deviation_however_many_devices_came(came: int) -> None:
    """2,000 numbers in each of 20 rounds; chi-square on both sides, false alarms once in a million."""
    found, sent = aggregation()
    update = torch.full((50, 40), 1e-3)
    drawn = torch.stack([sums(found, sent, [update] * came, number) - came * update.double() / 4 for number in range(20)])
    expected = 1.5 * 0.5 / 4
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], drawn.numel())
    assert low < float((drawn**2).sum()) / expected**2 < high
    assert not low < float((drawn**2).sum()) / (0.97 * expected) ** 2 < high


def test_noise_of_bands_adds_up_to_less() -> None:
    plain, banded = aggregation()[0], aggregation(**BANDED)[0]
    sent = aggregation()[1]
    added = {name: torch.stack([sums(found, sent, [], number) for number in range(30)]).sum(dim=0) for name, found in (("plain", plain), ("banded", banded))}
    assert float(added["banded"].std()) < 0.6 * float(added["plain"].std())


def test_a_clip_norm_that_adapts_leaves_less_noise_budget_for_the_sum() -> None:
    found, _ = aggregation(clipping={"rule": {"kind": "adaptive-quantile", "initial": 0.3, "count_noise": 2.0}})
    assert found.deviation(0) == pytest.approx(0.3 / math.sqrt(1.5**-2 - (2 * 2.0) ** -2))
    assert found.deviation(0) > 0.3 * 1.5
    with pytest.raises(CountTooDear, match="raise count_noise"):
        aggregation(clipping={"rule": {"kind": "adaptive-quantile", "count_noise": 0.7}})


def test_a_clip_norm_follows_the_lengths_of_updates() -> None:
    found, sent = aggregation(clipping={"rule": {"kind": "adaptive-quantile", "initial": 100.0, "count_noise": 0.8, "learning_rate": 0.5}})
    for number in range(40):
        sums(found, sent, [torch.full((50, 40), 1.0 / math.sqrt(2000))] * 4, number)  # of length 1
    assert 0.2 < found.kept["clip_norm"] < 5


def test_one_device_more_or_less_moves_the_update_by_at_most_the_clip(tmp_path: Path) -> None:
    busiest = int(np.bincount(owners()).argmax())
    changes: dict[str, Any] = {"selection": COINS, "correction": {"kind": "horvitz-thompson"}, "cohort_size": DEVICES, "rounds": 1, "privacy": NOISE}
    ends = []
    for left_out in (None, busiest):
        rounds = training(tmp_path / str(left_out), leave_out=left_out, **changes)
        rounds.public_records = 15  # so that weights are ten times too large, and the clip must hold them
        before = weights(rounds)
        rounds.run()
        ends.append({name: value.double() - before[name].double() for name, value in weights(rounds).items()})
    moved = math.sqrt(sum(float(((ends[0][name] - ends[1][name]) ** 2).sum()) for name in ends[0]))
    assert 0.9 * 0.5 / DEVICES < moved <= 0.5 / DEVICES * (1 + 1e-4)


def test_a_weight_that_was_applied_after_the_clip_is_flagged() -> None:
    sent = [torch.zeros(5, 4)]
    rule = DpFedAvg.model_validate({"kind": "dp-fedavg", **NOISE}).clipping.rule
    total = RunningTotal(sent, rule, 4.0)
    job = Job(7, np.arange(1), 1, 1, 1, 0, 0.25)
    honest = contribution([torch.ones(5, 4)], sent, 1.0, rule)
    total.receive(job, honest)
    with pytest.raises(LongerThanTheClip, match=r"device 7 sent an update of length 0.999998, and 0\.5 is the most"):
        total.receive(job, Contribution([2.0 * part for part in honest.tensors]))
    with pytest.raises(LongerThanTheClip):
        total.receive(job, Contribution([part * float("nan") for part in honest.tensors]))


@pytest.mark.parametrize("selection", [COINS, ACTIVE])
def test_nobodys_presence_changes_the_coin_of_another(tmp_path: Path, selection: dict[str, Any]) -> None:
    busiest = int(np.bincount(owners()).argmax())
    drawn = []
    for left_out in (None, busiest):
        rounds = training(tmp_path / str(left_out), leave_out=left_out, selection=selection, correction=EQUAL, rounds=30, privacy=NOISE)
        rounds.run()
        drawn.append([[client for client in entry.client if client != busiest] for entry in rounds.log.rounds])
    assert drawn[0] == drawn[1] and any(drawn[0])


def test_rates_solved_from_all_activity_would_be_seen_to_change(tmp_path: Path) -> None:
    busiest = int(np.bincount(owners()).argmax())
    drawn = []
    for left_out in (None, busiest):
        solved = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}
        rounds = training(tmp_path / str(left_out), leave_out=left_out, selection=solved, rounds=30)
        rounds.run()
        drawn.append([[client for client in entry.client if client != busiest] for entry in rounds.log.rounds])
    assert drawn[0] != drawn[1]


def test_devices_rest_between_two_takings_part(tmp_path: Path) -> None:
    rounds = training(tmp_path, selection={**ACTIVE, "public_activity": 20}, correction=EQUAL, separation=4, rounds=20, privacy={**NOISE, **BANDED})
    rounds.run()
    asked = [(number, client) for number, entry in enumerate(rounds.log.rounds) for client in entry.client.tolist()]
    gaps = [later - earlier for earlier, one in asked for later, other in asked if one == other and later > earlier]
    assert gaps and min(gaps) == 4


@pytest.mark.parametrize("privacy", [NOISE, {**NOISE, "clipping": ADAPTS}, {**NOISE, **BANDED}])
def test_a_killed_private_training_goes_on_with_the_same_noise(tmp_path: Path, privacy: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"selection": COINS, "correction": EQUAL, "separation": 3 if "noise" in privacy else 1, "privacy": privacy}
    whole = training(tmp_path / "whole", **changes)
    whole.run()
    killed = training(tmp_path / "killed", **changes)
    killed.checkpoint_seconds = 0.0
    end = killed.federation
    killed.federation = end.model_copy(update={"rounds": 5})
    killed.run()
    again = training(tmp_path / "killed", **changes)
    again.run()
    assert again.progress.round == end.rounds and again.aggregation.kept == whole.aggregation.kept
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())


def test_a_private_training_learns_where_there_is_little_noise(tmp_path: Path) -> None:
    rounds = training(tmp_path, selection=COINS, correction=EQUAL, cohort_size=DEVICES, rounds=20, privacy={"noise_multiplier": 0.6, "clipping": FLAT})
    rounds.run()
    scores = [score.score for score in rounds.progress.scores]
    assert scores[-1] > scores[0] + 0.02
