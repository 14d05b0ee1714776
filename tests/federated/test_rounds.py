"""A federated training: one seed twice, and killed and resumed after any round, gives identical cohorts and weights; other seeds do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.federated import resuming
from tasks.federated.evaluation import EVALUATIONS, Evaluation
from tasks.federated.jobs import Outcomes
from tasks.federated.measuring import federated_measures
from tasks.federated.population import Population
from tasks.federated.rounds import FederationDiverged, Rounds
from tasks.utility.metric import UTILITY, UtilityMetric
from tests.federated.trained import DEVICES, RECORDS, owners, training, weights

STRATEGIES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "activity": {"selection": {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}, "correction": {"kind": "horvitz-thompson"}},
    "oort-late": {"selection": {"kind": "oort"}, "stragglers": {"over_selection": 1.5}, "server": {"kind": "adam", "learning_rate": 0.1}},
    "power-of-choice": {"selection": {"kind": "power-of-choice", "candidates": 6}, "availability": {"kind": "bernoulli", "probability": 0.7}},
    "fedau": {"selection": {"kind": "participation-history"}, "correction": {"kind": "horvitz-thompson"}, "server": {"kind": "momentum"}},
    "divfl": {"selection": {"kind": "divfl"}, "server": {"kind": "yogi", "learning_rate": 0.1}},
    "windows": {"timeline": {"kind": "continual", "windows": 3, "by": "count", "retention": {"kind": "last-windows", "k": 1}}},
}


def same(one: Rounds, other: Rounds) -> bool:
    logs, others = one.log.arrays(), other.log.arrays()
    equal = all(np.array_equal(logs[name], others[name], equal_nan=logs[name].dtype.kind == "f") for name in logs)
    mine, theirs = weights(one), weights(other)
    return equal and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_seed_twice_is_identical_and_another_differs(name: str, tmp_path: Path) -> None:
    runs = {label: training(tmp_path / label, seed, **STRATEGIES[name]) for label, seed in (("a", 0), ("b", 0), ("c", 1))}
    for rounds in runs.values():
        rounds.run()
    assert same(runs["a"], runs["b"])
    assert not np.array_equal(runs["a"].log.arrays()["client"], runs["c"].log.arrays()["client"])
    assert runs["a"].progress.scores == runs["b"].progress.scores


def test_no_rounds_leave_the_model_as_it_began(tmp_path: Path) -> None:
    """The arm that a study calls untrained: measured like any other, with one check and nothing in its log."""
    rounds = training(tmp_path / "none", rounds=0)
    before = weights(rounds)
    rounds.run()
    assert all(torch.equal(value, before[name]) for name, value in weights(rounds).items())
    assert [score.round for score in rounds.progress.scores] == [0] and len(rounds.log.arrays()["client"]) == 0
    population = Population(tuple(f"d{place}" for place in range(DEVICES)), owners(), np.zeros(RECORDS, np.int64), owners(), np.zeros(RECORDS, np.int64))
    metric = UTILITY.parse({"kind": "accuracy"})
    evaluation = EVALUATIONS.parse({"kind": "central", "target": 0.5})
    assert isinstance(metric, UtilityMetric) and isinstance(evaluation, Evaluation)
    rows = {row.name: row for row in federated_measures(rounds, metric, evaluation, population, "iid", "cpu", secret=False).rows}
    assert rows["federated/coverage"].value == 0 and rows["cost/uploaded_mib"].value == 0 and rows["federated/rounds_to_target"].value is None
    with pytest.raises(ValueError, match="2 windows need at least as many rounds"):
        training(tmp_path / "windows", rounds=0, timeline={"kind": "continual", "windows": 2, "by": "count"})


class Killed(Exception):
    """The process is gone."""


@pytest.mark.parametrize("after", [1, 4, 8])
@pytest.mark.parametrize("layout", ["sequential", "stacked"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_killed_after_a_round_and_resumed_is_as_never_killed(name: str, layout: str, after: int, tmp_path: Path) -> None:
    whole = training(tmp_path / "whole", layout=layout, **STRATEGIES[name])
    whole.run()
    first = training(tmp_path / "killed", layout=layout, **STRATEGIES[name])
    first.checkpoint_seconds = 0.0
    original = first.round

    def until(number: int) -> None:
        if number == after:
            raise Killed
        original(number)

    first.round = until  # type: ignore[method-assign]
    with pytest.raises(Killed):
        first.run()
    second = training(tmp_path / "killed", layout=layout, **STRATEGIES[name])
    second.run()
    assert same(whole, second) and whole.progress.scores == second.progress.scores
    assert {**vars(whole.costs)} == {**vars(second.costs)}
    series = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [point["step"] for point in series] == [score.round for score in whole.progress.scores]


def test_a_checkpoint_without_its_log_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: a strategy that lives on history differs where history is lost."""
    whole = training(tmp_path / "whole", **STRATEGIES["fedau"])
    whole.run()
    first = training(tmp_path / "killed", **STRATEGIES["fedau"])
    for number in range(4):
        first.round(number)
        first.progress.round += 1
    resuming.save(first)
    second = training(tmp_path / "killed", **STRATEGIES["fedau"])
    resuming.load(second)
    lost = training(tmp_path / "fresh", **STRATEGIES["fedau"])
    second.log = lost.log
    for number in range(4, 9):
        second.round(number)
    assert not all(torch.equal(weights(second)[name], tensor) for name, tensor in weights(whole).items())


def test_all_strategies_of_a_seed_face_one_world(tmp_path: Path) -> None:
    away = {"availability": {"kind": "markov"}}
    seen: list[list[list[bool]]] = []
    for name in ("uniform", "oort-late"):
        rounds = training(tmp_path / name, **{**STRATEGIES[name], **away})
        seen.append([])
        for number in range(6):
            seen[-1].append(rounds.view(number).available.tolist())
            rounds.round(number)
    assert seen[0] == seen[1] and any(not all(row[:-1]) for row in seen[0])


def test_devices_without_records_and_without_power_are_never_asked(tmp_path: Path) -> None:
    rounds = training(tmp_path, availability={"kind": "bernoulli", "probability": 0.5}, rounds=40)
    for number in range(40):
        available = rounds.view(number).available
        rounds.round(number)
        assert available[rounds.log.rounds[-1].client].all()
    assert rounds.log.history.times_asked[DEVICES - 1] == 0
    assert set(range(DEVICES - 1)) >= set(np.flatnonzero(rounds.log.history.times_asked))


def test_weights_of_a_round_are_those_of_the_correction(tmp_path: Path) -> None:
    activity = np.bincount(owners(), minlength=DEVICES)
    rounds = training(tmp_path, **STRATEGIES["activity"])
    for number in range(9):
        rounds.round(number)
        entry = rounds.log.rounds[-1]
        assert np.allclose(entry.weight, activity[entry.client] / RECORDS / entry.expected)
        assert np.array_equal(entry.activity, activity[entry.client])


def test_the_last_of_over_selected_devices_are_dropped_and_counted_as_work(tmp_path: Path) -> None:
    rounds = training(tmp_path, stragglers={"over_selection": 1.5})
    rounds.run()
    for entry in rounds.log.rounds:
        assert len(entry.client) == 6 and entry.answered.sum() == 4
        assert entry.seconds[entry.answered].max() <= entry.seconds[~entry.answered].min()
        assert (entry.weight[~entry.answered] == 0).all() and np.isnan(entry.mean_loss[~entry.answered]).all()
    assert rounds.costs.downloads == 9 * 6 and rounds.costs.uploads == 9 * 4
    tokens = sum(int(entry.examples.sum()) for entry in rounds.log.rounds) * 12
    assert rounds.costs.train_flops == 6 * rounds.costs.weights * tokens


def test_an_empty_cohort_is_a_round_without_an_update(tmp_path: Path) -> None:
    rounds = training(tmp_path, availability={"kind": "bernoulli", "probability": 0.0}, rounds=2)
    before = weights(rounds)
    rounds.run()
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(rounds).items())
    assert [len(entry.client) for entry in rounds.log.rounds] == [0, 0]


def test_both_layouts_end_nearly_alike(tmp_path: Path) -> None:
    ends = []
    for layout in ("sequential", "stacked"):
        rounds = training(tmp_path / layout, layout=layout)
        rounds.run()
        ends.append(weights(rounds))
        scores = [score.score for score in rounds.progress.scores]
        assert scores[-1] > scores[0]
    assert all(torch.allclose(ends[0][name], ends[1][name], atol=1e-4) for name in ends[0])


def test_a_training_that_leaves_the_numbers_says_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = training(tmp_path)
    train = rounds.layout.train

    def blown_up(jobs: Any, total: Any) -> Any:
        return train([job.weighted(float("inf")) for job in jobs], total)

    monkeypatch.setattr(rounds.layout, "train", blown_up)
    with pytest.raises(FederationDiverged, match=r"after round 1: lower federation\.client\.optimizer\.learning_rate"):
        rounds.run()


def test_a_window_trains_on_what_is_held_in_it(tmp_path: Path) -> None:
    rounds = training(tmp_path, **STRATEGIES["windows"])
    rounds.run()
    for number, entry in enumerate(rounds.log.rounds):
        held = np.bincount(owners()[np.arange(RECORDS) * 3 // RECORDS == number // 3], minlength=DEVICES)
        assert np.array_equal(entry.activity, held[entry.client])
    checked = [score.round for score in rounds.progress.scores]
    assert {3, 6, 9} <= set(checked), "the end of each window is checked"


def test_a_device_that_fails_is_logged_and_the_others_keep_their_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = training(tmp_path)
    train = rounds.layout.train

    def first_fails(jobs: Any, total: Any) -> Outcomes:
        found = train(jobs[1:], total)
        lost = [np.concatenate([[value], left]) for value, left in ((np.nan, found.mean_loss), (np.nan, found.rms_loss), (False, found.answered))]
        return Outcomes(lost[0], lost[1], lost[2].astype(np.bool_))

    monkeypatch.setattr(rounds.layout, "train", first_fails)
    rounds.run()
    for entry in rounds.log.rounds:
        assert not entry.answered[0] and entry.answered[1:].all()
        assert entry.weight[0] == 0 and np.isnan(entry.mean_loss[0])
        shares = entry.activity / entry.activity.sum()
        assert np.allclose(entry.weight[1:], shares[1:])  # what was sent out with the work, not a share of those who are left
