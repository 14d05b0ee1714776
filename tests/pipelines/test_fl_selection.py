"""A whole federated study: the steps of its trials, what they share, the names of its numbers, and a layout that is measured once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import load_file

from pipelines import layouts
from pipelines.outcome import Outcome
from pipelines.planning import Plan, PlannedTrial, make_plan
from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.core.measures import Measures, Row
from tasks.data.prepared import PreparedData
from tasks.federated.federating import LOG, SCORES
from tasks.federated.steps import FederateConfig
from tests.pipelines.inline import at, run
from tests.pipelines.metric_names import unfit

WINDOWS = {"kind": "continual", "windows": 3, "by": "count", "retention": {"kind": "last-windows", "k": 1}, "reference": "all-at-once"}
BY_ACTIVITY = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}
LATE = {"federation.stragglers": {"over_selection": 1.25}}
BITS = 26

STUDY: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "selected",
    "data": {"kind": "synthetic-assistant", "examples": 800, "users": 60, "task": "intent", "public_size": 500, "attack_holdout": 120},
    "partition": {"kind": "natural", "minimum_examples": 2},
    "model": {"kind": "linear", "bigram_buckets": 64, "tokenizer": {"kind": "hashing", "buckets": 256, "max_tokens": 16}},
    "federation": {
        "rounds": 6,
        "cohort_size": 8,
        "engine": {"kind": "in-process", "layout": "sequential"},
        "client": {"batch_size": 8, "optimizer": {"kind": "sgd", "learning_rate": 0.5}},
    },
    "evaluation": {"kind": "central", "every": 2, "target": 0.99},
    "sweep": {
        "seeds": [0, 1],
        "arms": {
            "uniform": {},
            "activity": {
                "federation.selection": BY_ACTIVITY,
                "federation.correction": {"kind": "hajek", "max_weight": 3},
                "evaluation": {"kind": "federated", "every": 2, "target": 0.99, "private": {"noise_multiplier": 1.0, "most_records": 3}},
            },
            "windows": {"federation.timeline": WINDOWS},
            "at-once": {"federation.timeline": {"kind": "all-at-once", "windows": 3, "by": "count"}},
            "on-devices": {
                "evaluation": {"kind": "federated", "every": 3},
                "partition": {"kind": "label-dirichlet", "devices": 40, "alpha": 0.3},
                "labels": {"kind": "self-training", "labelled": 0.5, "threshold": 0.3},
                "federation.timeline": {"kind": "continual", "windows": 2, "by": "count", "retention": {"kind": "erase", "share": 0.3, "window": 1}},
            },
        },
    },
}

SECURED: dict[str, Any] = {
    **STUDY,
    "name": "secured",
    "sweep": {"arms": {"late": LATE, "secure": {**LATE, "federation.secure_aggregation": {"bits": BITS}}}},
}


class Ran:
    """The study after its one run."""

    def __init__(self, outcome: Outcome, plan: Plan) -> None:
        self.outcome, self.plan = outcome, plan

    def trial(self, arm: str, seed: int = 0) -> PlannedTrial:
        [planned] = [planned for planned in self.plan.trials if (planned.trial.arm, planned.trial.seed) == (arm, seed)]
        return planned

    def rows(self, arm: str, seed: int = 0) -> dict[str, Row]:
        return {row.name: row for node in self.trial(arm, seed).graph.measured for row in Measures.load_rows(self.plan.store.open(node.key))}

    def folder(self, arm: str, seed: int = 0) -> Path:
        return self.plan.store.open(self.trial(arm, seed).graph.model.key)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        outcome = run(STUDY, patched)
        yield Ran(outcome, make_plan(load_mapping(STUDY)))


def test_every_trial_ends_and_every_number_has_a_name_of_the_design(ran: Ran) -> None:
    assert ran.outcome.exit_code == 0 and not ran.plan.missing(verified=True)
    for planned in ran.plan.trials:
        rows = ran.rows(planned.trial.arm, planned.trial.seed)
        assert not [name for name in rows if unfit(name)]
        promised = planned.trial.study.metrics()
        assert not [name for name in promised if name != "federated/capped_weights" and not any(found.startswith(name) for found in rows)]
        beginnings = (*promised, "utility/accuracy/", "utility/loss/")
        assert not [name for name in rows if not name.startswith(beginnings)]


def test_what_was_not_reached_has_no_number(ran: Ran) -> None:
    target = ran.rows("uniform")["federated/rounds_to_target"]
    assert target.value is None and target.reason == "not reached in 6 rounds"
    caught = ran.rows("windows")["federated/rounds_to_catch_up"]
    assert caught.value is not None or "not caught up in 2 rounds" in str(caught.reason)


def test_arms_share_a_population_and_the_reference_is_the_arm_with_all_data_at_once(ran: Ran) -> None:
    populations = {node.key for node in ran.plan.graph if node.step.name == "partition"}
    assert len(populations) == 2 * 3, "static, windows and another partition, for each seed's members"
    reference = {node.inputs["reference"].key for node in ran.trial("windows").graph.nodes() if node.step.name == "catch-up"}
    assert reference == {ran.trial("at-once").graph.model.key}


def test_a_trial_without_its_own_seed_in_its_data_shares_the_population_over_seeds() -> None:
    study = {**STUDY, "data": {"kind": "synthetic-assistant", "examples": 300, "task": "intent"}, "attacks": [], "sweep": {"seeds": [0, 1]}}
    steps = [node.step.name for node in make_plan(load_mapping(study)).graph]
    assert steps.count("partition") == 1 and steps.count("federate") == 2


def test_the_log_holds_every_draw_with_its_probability(ran: Ran) -> None:
    log = pd.read_parquet(ran.folder("activity") / LOG)
    assert set(log["round"]) <= set(range(6)) and log["expected"].between(0, 1).all() and (log["weight"] > 0).all()
    assert (log.groupby("round")["weight"].sum() <= 1 + 1e-9).all()
    checks = pd.read_parquet(ran.folder("windows") / SCORES)
    assert {-1, 0, 1, 2} == set(checks["window"]) and {2, 4, 6} <= set(checks["round"])


def test_secure_aggregation_gives_the_same_model_to_the_stated_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside 8 / 2^(bits + 1) a round, float32 rounds by 2^-24 of numbers below 1, a few times, and local training carries both on: 64 times is ample."""
    at(tmp_path, monkeypatch)
    ran = Ran(run(SECURED, monkeypatch), make_plan(load_mapping(SECURED)))
    plain, secure = (load_file(ran.folder(arm) / "model.safetensors") for arm in ("late", "secure"))
    distances = [float((tensor - secure[name]).abs().max()) for name, tensor in plain.items()]
    assert 0 < max(distances) <= 64 * 6 * (8 * 2.0 ** -(BITS + 1) + 2.0**-24)
    logs = {arm: pd.read_parquet(ran.folder(arm) / LOG) for arm in ("late", "secure")}
    assert len(logs["secure"]) == 10 * 6 and logs["secure"]["client"].equals(logs["late"]["client"])
    assert logs["secure"]["mean_loss"].isna().all() and logs["late"]["mean_loss"].notna().sum() == 8 * 6
    sent = [ran.rows(arm)["cost/uploaded_mib"].value or 0 for arm in ("late", "secure")]
    assert sent[1] > 2 * sent[0], "64 bits a number, keys and shares"


def test_secret_randomness_needs_something_to_keep_secret() -> None:
    secret = {**STUDY, "randomness": "secret", "sweep": {"seeds": [0]}}
    with pytest.raises(SpecErrors, match="STUDY-01"):
        load_mapping(secret)
    found = load_mapping({**secret, "federation": {**STUDY["federation"], "secure_aggregation": {}}})
    assert "FED-32" in {label.finding.rule.id for label in found.labels}
    (planned,) = make_plan(found).trials
    config = planned.graph.model.config
    assert isinstance(config, FederateConfig) and config.randomness == "secret"


def test_a_federated_model_is_an_artifact_like_any_other(ran: Ran) -> None:
    folder = ran.folder("uniform")
    assert json.loads((folder / "privacy.json").read_text()) == {"guarantee": "none"}
    assert {"config.json", "model.safetensors", "labels.json"} <= {path.name for path in folder.iterdir()}
    data = PreparedData(ran.plan.store.open(ran.trial("uniform").graph.data.key))
    assert json.loads((folder / "data.json").read_text())["members"] == data.split("train")["id"].tolist()


def test_deciles_are_of_devices_and_the_report_shows_the_course(ran: Ran) -> None:
    assert {f"utility/accuracy/decile_{number}" for number in range(1, 11)} <= ran.rows("uniform").keys()
    assert {"federated/erased_devices", "utility/accuracy/erased", "federated/self_labelled"} <= ran.rows("on-devices").keys()
    assert "privacy/epsilon_evaluation" in ran.rows("activity")
    assert "utility/accuracy/device_mean" in ran.rows("on-devices") and "utility/accuracy/device_mean" not in ran.rows("uniform")
    page = ran.outcome.report.read_text()
    assert "utility/accuracy by round" in page
    assert all(trial.courses["utility/accuracy"][0][0] == 0 for trial in ran.outcome.comparison.trials)


def test_the_study_again_makes_nothing(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    again = run(STUDY, monkeypatch)
    assert again.made == 0 and again.comparison.arms == ran.outcome.comparison.arms


AUTO: dict[str, Any] = {**STUDY, "federation": {**STUDY["federation"], "engine": {"kind": "in-process"}}, "sweep": {"seeds": [0]}}


@pytest.mark.parametrize("faster", ["stacked", "sequential"])
def test_a_layout_is_measured_once_when_a_run_begins_and_stands_in_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: str) -> None:
    at(tmp_path, monkeypatch)
    asked: list[str] = []

    def measured(study: Any, device: str) -> dict[str, Any]:
        asked.append(device)
        return {"layout": faster, "seconds": {}}

    monkeypatch.setattr(layouts, "_measured", measured)
    before = make_plan(load_mapping(AUTO)).trials[0]
    assert not asked and before.trial.study.federation.engine.layout == "auto"  # type: ignore[attr-defined]
    settled = make_plan(load_mapping(AUTO), begin=True).trials[0]
    assert len(asked) == 1 and settled.trial.study.federation.engine.layout == faster  # type: ignore[attr-defined]
    assert make_plan(load_mapping(AUTO)).trials[0].key == settled.key != before.key
    make_plan(load_mapping(AUTO), begin=True)
    assert len(asked) == 1, "what was measured is kept"
    written = {**AUTO, "federation": {**AUTO["federation"], "engine": {"kind": "in-process", "layout": faster}}}
    assert make_plan(load_mapping(written)).trials[0].key == settled.key


def test_another_model_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, monkeypatch)
    asked: list[str] = []

    def measured(study: Any, device: str) -> dict[str, Any]:
        asked.append(device)
        return {"layout": "stacked"}

    monkeypatch.setattr(layouts, "_measured", measured)
    for buckets in (64, 128, 64):
        make_plan(load_mapping({**AUTO, "model": {**AUTO["model"], "bigram_buckets": buckets}}), begin=True)
    assert len(asked) == 2


def test_a_model_that_learns_its_tokenizer_first_is_trained_sequentially(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, monkeypatch)
    tokenizer = {"kind": "trained", "vocabulary": 300, "corpus": {"kind": "synthetic-assistant", "examples": 100}}
    planned = make_plan(load_mapping({**AUTO, "model": {"kind": "linear", "tokenizer": tokenizer}}), begin=True).trials[0]
    assert planned.trial.study.federation.engine.layout == "sequential"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"utility": []}, "utility: name at least one metric"),
        ({"execution": {"processes_per_training": 2}}, "execution.processes_per_training: the devices of a federation are trained by one process"),
        ({"utility": [{"kind": "bits-per-byte"}]}, "bits-per-byte does not judge task 'intent'"),
        ({"federation": {"timeline": {**WINDOWS, "windows": 7}, "rounds": 6}}, "7 windows need at least as many rounds"),
        ({"federation": {"timeline": {**WINDOWS, "windows": 2}, "rounds": 0}}, "2 windows need at least as many rounds"),
        ({"utility": [{"kind": "baseline-gain", "over": "majority"}]}, "utility[0]: baseline-gain needs more than predictions"),
        ({"federation": {"selection": {"kind": "top-m"}, "correction": {"kind": "hajek"}}}, "[FED-01]"),
        ({"federation": {"selection": {"kind": "afl"}, "correction": {"kind": "hajek"}}}, "[FED-02]"),
        ({"partition": {"kind": "iid", "devices": 10}, "federation": {"selection": {"kind": "top-m"}}}, "[FED-05]"),
        ({"federation": {"selection": {"kind": "activity-proportion"}}}, "did you mean 'activity-proportional'?"),
        ({"federation": {"selection": {"kind": "oort"}, "secure_aggregation": {}}}, "[FED-30]"),
        ({"federation": {"cohort_size": 8, "secure_aggregation": {"bits": 40, "clip_range": 2.0**20}}}, "[FED-33]"),
        ({"federation": {"cohort_size": 100, "secure_aggregation": {"neighbours": 20}}}, "[FED-35]"),
        ({"federation": {"secure_aggregation": {"threshold": 0.5}}}, "federation.secure_aggregation.threshold"),
        ({"partition": None}, "partition"),
    ],
)
def test_a_bad_study_is_refused_in_one_line(change: dict[str, Any], said: str) -> None:
    study = {**STUDY, "sweep": {}, **change}
    with pytest.raises(SpecErrors) as caught:
        load_mapping({name: value for name, value in study.items() if value is not None})
    assert any(said in str(error) for error in caught.value.errors), caught.value.errors


def test_claims_of_few_seeds_are_labelled() -> None:
    claim = {"id": "a", "says": "so it is", "metric": "utility/accuracy", "arm": "activity", "versus": "uniform", "better": True}
    few = load_mapping({**STUDY, "claims": [claim]})
    assert "FED-10" in {label.finding.rule.id for label in few.labels}
    many = load_mapping({**STUDY, "claims": [claim], "sweep": {**STUDY["sweep"], "seeds": [0, 1, 2, 3, 4]}})
    assert "FED-10" not in {label.finding.rule.id for label in many.labels}
