"""What MLflow's page shows of a study: names that compare, what each run is in words, its data by our digest, plots, and the registered model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Run
from safetensors.torch import load_file

from pipelines.outcome import Outcome
from pipelines.planning import Plan, make_plan
from specs.loading import load_mapping
from tasks.attacks.attack import ATTACKS
from tasks.core.component import Family
from tasks.core.measures import Measurement, Row
from tasks.core.places import tracking_uri
from tasks.fairness.metric import FAIRNESS
from tasks.utility.metric import UTILITY
from tests.pipelines.inline import at, run
from tests.pipelines.metric_names import unfit

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "shown",
    "question": "What does privacy cost here?",
    "data": {"kind": "synthetic-assistant", "examples": 900, "task": "intent", "public_size": 500, "attack_holdout": 200},
    "model": {"kind": "linear"},
    "training": {"epochs": 1, "expected_batch_size": 64},
    "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0},
    "utility": [{"kind": "accuracy"}, {"kind": "loss"}],
    "sweep": {"seeds": [0, 1], "baseline": "plain", "arms": {"plain": {"privacy": {"kind": "none"}}, "private": {}, "bare": {"attacks": [], "fairness": []}}},
    "claims": [{"id": "cost", "says": "Privacy costs little", "metric": "utility/accuracy", "arm": "private", "versus": "plain", "not_worse_by": 0.5}],
    "gates": [{"metric": "privacy/epsilon", "at_most": 8, "arms": ["private"], "of": "worst"}],
    "execution": {"log_models": "none", "register_model": {"name": "assistant-intent", "arm": "private"}},
}


class Shown:
    """The study after its run, in a home that the tests of this file share."""

    def __init__(self, outcome: Outcome, plan: Plan) -> None:
        self.outcome, self.plan = outcome, plan
        self.client = MlflowClient(tracking_uri=tracking_uri())
        self.parent = self.client.get_run(outcome.mlflow_run)

    @property
    def children(self) -> dict[str, Run]:
        found = self.client.search_runs([self.parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{self.outcome.mlflow_run}'")
        return {one.info.run_name: one for one in found}

    def data(self, name: str) -> Path:
        [planned] = [planned for planned in self.plan.trials if planned.name == name]
        return self.plan.store.open(planned.graph.data.key)


def inputs(one: Run) -> list[DatasetInput]:
    """The data that a run names, sorted by name."""
    assert one.inputs is not None
    return sorted(one.inputs.dataset_inputs, key=lambda found: (found.dataset.name, found.dataset.digest))


def said(shown: Run) -> str:
    return str(shown.data.tags["mlflow.note.content"])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        yield Shown(run(STUDY, patched), make_plan(load_mapping(STUDY)))


def test_every_recorded_number_has_a_name_of_the_table(shown: Shown) -> None:
    names = {name for one in (shown.parent, *shown.children.values()) for name in one.data.metrics}
    assert {name.split("/")[0] for name in names} == {"privacy", "utility", "fairness", "cost", "train"}
    assert {"utility/accuracy_low", "privacy/loss_threshold/auc_high", "fairness/accuracy/by_group/a", "privacy/epsilon_study"} <= names
    assert [name for name in names if unfit(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "utility/macro-f1", "utility/accuracy_mid", "utility/loss/test", "fairness/accuracy", "privacy/loss-threshold/auc"),
        *("privacy/epsilon/", "privacy/loss_threshold/advantage", "costs/train_seconds", "train/loss/a", "utility/Accuracy", ""),
    ],
)
def test_a_name_outside_the_table_would_be_seen(name: str) -> None:
    assert unfit(name)


REQUIRED: dict[str, dict[str, Any]] = {
    "ceat": {"words": "synthetic-valence", "contexts": {"kind": "wikitext-2"}},
    "baseline-gain": {"over": "majority"},
}
"""What a component cannot be made without."""


@pytest.mark.parametrize(("family", "prefix", "rest"), [(UTILITY, "utility", ()), (ATTACKS, "privacy", ("auc",)), (FAIRNESS, "fairness", ("difference",))])
def test_every_component_measures_under_a_name_of_the_table(family: Family, prefix: str, rest: tuple[str, ...]) -> None:
    for kind in family.members():
        made = family.parse({"kind": kind, **REQUIRED.get(kind, {})})
        assert isinstance(made, Measurement) and not unfit(made.metric(prefix, *rest)), kind


def test_a_trial_is_told_in_words(shown: Shown) -> None:
    plain, private, bare = (said(shown.children[f"{arm} seed 0"]) for arm in ("plain", "private", "bare"))
    assert "Arm `plain`, seed 0 of study shown: linear on synthetic-assistant." in plain and "Guarantee: none." in plain
    assert "Changes: `privacy: {kind: none}`." in plain and "Changes: nothing in the study as written." in private
    assert "Guarantee: simulated: example-level (" in private and "protect nobody" in private and "protect nobody" not in plain
    assert re.search(r"Label: .* \[PRIV-09\]", private) and "Label:" not in plain
    assert "Not measured: attacks, none is asked for." in bare and "Not measured: fairness, none is asked for." in bare
    unmeasured = [name for name in shown.children["private seed 0"].data.tags if name.startswith("not_measured.")]
    assert all(f"Not measured: `{name.removeprefix('not_measured.')}`" in private for name in unmeasured)


def test_a_study_is_told_in_words_and_compared_in_a_list(shown: Shown) -> None:
    text, tags = said(shown.parent), shown.parent.data.tags
    assert text.startswith("**What does privacy cost here?**") and "6 trials: 3 arms, seeds 0, 1; linear on synthetic-assistant." in text
    assert "- **Descriptive**: Privacy costs little. Found: utility/accuracy of private less that of plain is " in text and "- Gate: Passed: " in text
    assert "- `plain` (baseline) changes `privacy: {kind: none}`. Guarantee: none." in text and "- `private` changes nothing" in text
    assert "private trainings of this study together" in text and "comparison/report.html" in text and "Registered: assistant-intent version 1" in text
    assert (tags["kind"], tags["arms"], tags["seeds"], tags["trials"]) == ("dp-training", "plain, private, bare", "0, 1", "6 of 6 finished")
    assert (tags["verdicts"], tags["gates"]) == ("cost: descriptive", "1 of 1 passed")
    assert tags["guarantees"].startswith("plain: none; private, bare: simulated: example-level (")
    assert {"arm", "seed", "guarantee"} <= shown.children["private seed 1"].data.tags.keys()


def test_no_record_is_quoted_anywhere(shown: Shown) -> None:
    """Neither in words, nor in tags, nor in what is told of the data; a quoted one would be found."""
    texts = {text for planned in shown.plan.trials for path in shown.data(planned.name).glob("*.parquet") for text in pd.read_parquet(path)["text"]}
    runs = [shown.parent, *shown.children.values()]
    told = [json.dumps({**one.data.tags, **one.data.params, "inputs": [found.to_dictionary() for found in inputs(one)]}) for one in runs]
    assert len(texts) > 500 and not any(text in one for text in texts for one in told)
    assert any(text in f"{told[0]} {next(iter(texts))}" for text in texts)


def test_every_run_names_its_data_by_our_digests(shown: Shown) -> None:
    for name, one in shown.children.items():
        facts = json.loads((shown.data(name) / "data.json").read_text())
        trained, tested = inputs(one)
        assert (trained.dataset.name, trained.dataset.digest) == ("synthetic-assistant", one.data.tags["data_digest"])
        assert trained.dataset.digest == facts["digest"] and len(trained.dataset.digest) <= 36
        assert (tested.dataset.name, tested.dataset.digest) == ("synthetic-assistant test", facts["split_digests"]["test"])
        assert [[(tag.key, tag.value) for tag in found.tags] for found in (trained, tested)] == [
            [("mlflow.data.context", "training")],
            [("mlflow.data.context", "testing")],
        ]
        profile = json.loads(str(trained.dataset.profile))
        assert profile["num_rows"] == facts["counts"]["train"] and profile["labels"] == len(facts["labels"]) and profile["groups"] == facts["groups"]["train"]
    of_parent = {found.dataset.digest for found in inputs(shown.parent)}
    assert of_parent == {found.dataset.digest for one in shown.children.values() for found in inputs(one)} and len(of_parent) == 3


def test_the_plots_stand_beside_the_report(shown: Shown) -> None:
    found = {Path(file.path).name for file in shown.client.list_artifacts(shown.outcome.mlflow_run, "comparison/plots")}
    assert {"utility_accuracy_against_privacy_epsilon.svg", "privacy_loss_threshold_auc_against_privacy_epsilon.svg", "utility_loss_by_arm.svg"} <= found


def test_the_registered_model_says_what_it_is_and_carries_its_guarantee(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = shown.outcome.registered
    assert registered is not None and registered.version == "1" and shown.outcome.exit_code == 0
    version = shown.client.get_model_version("assistant-intent", "1")
    best = max((f"private seed {seed}" for seed in (0, 1)), key=lambda name: shown.children[name].data.metrics["utility/accuracy"])
    one = shown.children[best]
    assert registered.sentence == f"registered: assistant-intent version 1 ({best}, {one.data.tags['guarantee']})"
    assert shown.outcome.as_json()["registered"] == {"version": "1", "sentence": registered.sentence}
    assert version.source == f"runs:/{one.info.run_id}/model" and version.run_id == one.info.run_id
    wanted = {name: one.data.tags[name] for name in ("study_key", "arm", "seed", "guarantee", "data_digest", "labels")} | {"study": "shown"}
    assert wanted.items() <= version.tags.items() and version.tags["guarantee"].startswith("simulated:")
    assert float(version.tags["epsilon"]) == one.data.metrics["privacy/epsilon"] and float(version.tags["delta"]) == one.data.metrics["privacy/delta"]
    assert float(version.tags["epsilon_study"]) == shown.parent.data.metrics["privacy/epsilon_study"]
    for words in (
        version.tags["guarantee"],
        "protect nobody",
        "the highest utility/accuracy of 2 trials",
        "the choice is not in it",
        "epsilon_study",
        "PRIV-09",
    ):
        assert words in str(version.description), words
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    folder = Path(mlflow.artifacts.download_artifacts("models:/assistant-intent/1", dst_path=str(tmp_path)))
    privacy = json.loads((folder / "privacy.json").read_text())
    assert privacy["guarantee"] == version.tags["guarantee"] and load_file(folder / "model.safetensors")


def test_the_same_model_is_registered_once(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    again = run(STUDY, monkeypatch)
    assert again.registered == shown.outcome.registered and again.made == 0
    assert len(shown.client.search_model_versions("name = 'assistant-intent'")) == 1
    another = run(STUDY, monkeypatch, new=True)
    assert another.registered is not None and another.registered.version == "2", "the model of another run is another version"


def test_what_was_not_measured_is_said_of_the_run(shown: Shown) -> None:
    """Positive control of the words above: a number without a value."""
    from pipelines.narrating import trial

    row = Row(name="utility/loss", value=None, status="undefined", reason="no record has what the metric counts")
    assert "Not measured: `utility/loss`, undefined: no record has what the metric counts." in trial(shown.plan, shown.plan.trials[0], (), [row])
