"""A whole fairness evaluation of tiny models: what each trial measures, the names of its numbers, the twins of aligned metrics, the correlation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.outcome import Outcome
from pipelines.planning import Plan, make_plan
from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.core.measures import Measures, Row
from tests.pipelines.inline import at, run
from tests.pipelines.metric_names import unfit

BYTES = {"kind": "bytes", "max_tokens": 96}
CAUSAL = {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.0, "tokenizer": BYTES}
RECURRENT = {"kind": "bilstm", "embedding_size": 16, "hidden_size": 16, "dropout": 0.0, "tokenizer": BYTES}
QUICK = {"epochs": 1, "expected_batch_size": 64, "optimizer": {"kind": "adamw", "learning_rate": 0.01}}
LABELLED = {"kind": "synthetic-stereotypes", "task": "intent", "examples": 400, "label_bias": 0.8}
FROZEN = {"data": LABELLED, "body": "frozen", "finetune": QUICK}


def text(task: str, bias: float) -> dict[str, Any]:
    return {"kind": "synthetic-stereotypes", "task": task, "examples": 150, "bias": bias}


def entry(label: str, family: str, model: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "family": family, "model": model, "data": data, "training": QUICK}


STUDY: dict[str, Any] = {
    "kind": "fairness-evaluation",
    "name": "evaluated",
    "question": "Do these metrics agree?",
    "models": [
        entry("causal-0", "causal", CAUSAL, text("lm", 0)),
        entry("causal-90", "causal", CAUSAL, text("lm", 0.9)),
        entry("recurrent-0", "recurrent", RECURRENT, text("mlm", 0)),
        entry("recurrent-90", "recurrent", RECURRENT, text("mlm", 0.9)),
        entry("recurrent-50", "recurrent", RECURRENT, text("mlm", 0.5)),
    ],
    "fairness": [
        {"kind": "seat", "words": "synthetic-occupations", "aligned": {"words": "synthetic-valence"}},
        {"kind": "mdl-extractability", "data": LABELLED, "examples": 120, "orders": 1},
        {"kind": "subgroup-auc", **FROZEN, "resamples": 100},
        {"kind": "rate-gaps", **FROZEN, "minimum": 10},
        {"kind": "group-disparities", **FROZEN, "comparisons": ["across", "pairwise"], "minimum": 10},
        {"kind": "counterfactual-token-fairness", **FROZEN, "terms": "synthetic", "label": "swapped"},
        {"kind": "prediction-sensitivity", **FROZEN, "terms": "synthetic"},
        {"kind": "bias-detection", **FROZEN, "sensitivity": {"kind": "prediction-sensitivity", "terms": "synthetic", "form": "raw"}},
    ],
    "correlation": {"between": ["intrinsic", "extrinsic"], "methods": ["spearman"], "alignment": ["original", "aligned"]},
    "sweep": {"baseline": "causal-0"},
}


class Ran:
    """The study after its run."""

    def __init__(self, outcome: Outcome, plan: Plan) -> None:
        self.outcome, self.plan = outcome, plan

    def rows(self, arm: str) -> dict[str, Row]:
        [planned] = [planned for planned in self.plan.trials if planned.trial.arm == arm]
        return {row.name: row for node in planned.graph.measured for row in Measures.load_rows(self.plan.store.open(node.key))}

    def items(self, arm: str, beginning: str) -> dict[str, list[Any]]:
        """The items of the metric whose names begin so."""
        [planned] = [planned for planned in self.plan.trials if planned.trial.arm == arm]
        folders = (self.plan.store.open(node.key) for node in planned.graph.measured)
        return next(Measures.load_items(folder) for folder in folders if Measures.load_rows(folder)[0].name.startswith(beginning))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        yield Ran(run(STUDY, patched), make_plan(load_mapping(STUDY)))


def test_every_model_is_an_arm_and_every_number_has_a_name_of_the_design(ran: Ran) -> None:
    assert ran.outcome.exit_code == 0 and not ran.plan.missing(verified=True)
    assert list(ran.outcome.comparison.arms) == [model["label"] for model in STUDY["models"]]
    for planned in ran.plan.trials:
        rows, promised = ran.rows(planned.trial.arm), planned.trial.study.metrics()
        assert not [name for name in rows if unfit(name)]
        assert not [name for name in promised if not any(found.startswith(name) for found in rows)]


def test_numbers_have_conditions_and_what_is_not_told_has_a_reason(ran: Ran) -> None:
    for planned in ran.plan.trials:
        for row in ran.rows(planned.trial.arm).values():
            if not row.name.startswith("fairness/"):
                continue
            assert {"notion", "fidelity", "protocol"} <= row.conditions.keys(), row.name
            assert (row.value is None) == (row.status not in ("ok", "confounded")) and (row.value is not None or row.reason), row.name


def test_an_aligned_metric_has_a_twin_and_both_are_correlated(ran: Ran) -> None:
    rows = ran.rows("recurrent-90")
    assert rows["fairness/seat_aligned/difference"].value is not None
    assert rows["fairness/seat_aligned/difference"].conditions["protocol"] != rows["fairness/seat/difference"].conditions["protocol"]
    found = ran.outcome.comparison.correlations
    assert found is not None and {cell.alignment for cell in found.cells} == {"original", "aligned"}
    names = {name for cell in found.cells for name in (cell.first, cell.second)}
    assert "fairness/bias_detection/difference" not in names, "it measures metrics, not models"


def test_five_models_are_told_to_show_little(ran: Ran) -> None:
    report = Path(ran.outcome.report).read_text()
    assert "<svg" in report and re.search(r"smallest significant Spearman", report) and "FAIR-09" in report


def test_two_models_are_asked_the_same_items(ran: Ran) -> None:
    one, other = (ran.items(arm, "fairness/rate_gaps/") for arm in ("causal-0", "recurrent-90"))
    assert len(one["id"]) > 50 and one["id"] == other["id"]


def refused(**changes: Any) -> str:
    with pytest.raises(SpecErrors) as caught:
        load_mapping({**STUDY, **changes})
    return " / ".join(error.message for error in caught.value.errors)


LOADED = {"label": "loaded", "model": {"kind": "pretrained", "source": "gpt2"}}
OWN = [{"kind": "rate-gaps"}]
PAIRS = [{"kind": "crows-pairs", "items": "synthetic"}]


def test_a_loaded_classifier_is_judged_on_other_data() -> None:
    recorded = {"label": "recorded", "model": {"kind": "mlflow", "run": "0" * 32}}
    study = {**STUDY, "models": [recorded], "correlation": None, "sweep": {}, "fairness": [{"kind": "rate-gaps", "test_data": LABELLED}]}
    assert load_mapping(study).study.fairness[0].reads_own_data is False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": [STUDY["models"][0], STUDY["models"][0]]}, "the label 'causal-0' is given twice"),
        ({"models": [{"label": "a", "model": RECURRENT}], "correlation": None}, "'a' of kind bilstm has no weights yet: give it data"),
        ({"models": [{**STUDY["models"][0], "read_as": "encoder"}], "correlation": None}, "read_as is for models that are loaded"),
        ({"sweep": {"arms": {"a": {}}}}, "the models are the arms of this kind"),
        ({"models": [LOADED], "correlation": None, "utility": [{"kind": "loss"}]}, "loss reads the data that a model was trained on, and 'loaded' is loaded"),
        ({"models": [LOADED], "correlation": None, "fairness": OWN}, "rate-gaps reads the data that a model was trained on, and 'loaded' is loaded"),
        ({"models": [{"label": "l", "model": {"kind": "linear"}, "data": LABELLED}], "correlation": None}, "'l' is linear: it has no body to keep"),
        ({"fairness": [{"kind": "seat", "words": "synthetic-valence", "aligned": {"poling": "mean"}}]}, "fairness[0].aligned.poling"),
        ({"models": [entry("hashed", "other", {"kind": "bilstm"}, text("mlm", 0))], "correlation": None}, "the hashing tokenizer has no mask"),
        ({"models": [entry("unserved", "other", CAUSAL, text("mlm", 0))], "correlation": None}, "does not serve the task of the data"),
        ({"models": [entry("answers", "other", RECURRENT, LABELLED)], "correlation": None, "fairness": PAIRS}, "asks what this model cannot answer"),
    ],
)
def test_what_cannot_be_is_one_line(changes: dict[str, Any], said: str) -> None:
    assert said in refused(**changes)
