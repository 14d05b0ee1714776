"""A whole distillation of tiny models: what arms share, what each records, and what is refused when it is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.dags.debiased_distillation import trial_graph
from pipelines.outcome import Outcome
from pipelines.planning import Plan, make_plan
from specs.errors import SpecErrors
from specs.loading import load_mapping
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.core.measures import Measures, Row
from tasks.distillation.lessons import Lessons
from tasks.distillation.teacher import KEPT
from tasks.models.artifact import load_model
from tests.cli.running import assay
from tests.pipelines.inline import at, run
from tests.pipelines.metric_names import unfit

PEOPLE = {"kind": "synthetic-professions", "examples": 120, "skew": 0.9}
WORDS = {"kind": "trained", "corpus": {**PEOPLE, "skew": 0, "seed": 9}, "vocabulary": 400, "max_tokens": 64}
GPT2 = {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.0, "tokenizer": WORDS}
QUICK = {"epochs": 1, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.01}}
PRIVATE = {"kind": "dp-sgd", "noise_multiplier": 1.0, "clipping": {"engine": {"kind": "opacus-hooks"}, "rule": {"kind": "flat", "l2_clip_norm": 1.0}}}
ARMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "exp-mean": {"distillation.combiner": {"kind": "exp-mean"}},
    "both": {"distillation.combiner": {"kind": "exp-mean"}, "distillation.apply_to": "both"},
    "warm": {"distillation.combiner": {"kind": "exp-mean"}, "distillation.temperature": 1.0, "distillation.initialise": "alternate-layers"},
    "states": {"distillation.weights": {"kl": 1.0, "hidden": 0.1}},
    "leace": {"mitigation": {"kind": "erase", "eraser": {"kind": "leace"}, "texts": 60}},
    "private": {"privacy": PRIVATE},
}
STUDY: dict[str, Any] = {
    "kind": "debiased-distillation",
    "name": "taught",
    "question": "Does every arm end?",
    "data": {**PEOPLE, "public_size": 90},
    "teacher_data": {**PEOPLE, "seed": 8},
    "teacher": {**GPT2, "layers": 2},
    "teacher_training": QUICK,
    "student": GPT2,
    "training": QUICK,
    "utility": [{"kind": "bits-per-byte"}],
    "attacks": [],
    "fairness": [],
    "sweep": {"baseline": "plain", "seeds": [0], "arms": ARMS},
}


class Ran:
    """The study after its run."""

    def __init__(self, outcome: Outcome, plan: Plan) -> None:
        self.outcome, self.plan = outcome, plan

    def graph(self, arm: str) -> TrialGraph:
        [planned] = [planned for planned in self.plan.trials if planned.trial.arm == arm]
        return planned.graph

    def rows(self, arm: str) -> dict[str, Row]:
        return {row.name: row for node in self.graph(arm).measured for row in Measures.load_rows(self.folder(node))}

    def folder(self, node: Node) -> Path:
        return self.plan.store.open(node.key)

    def node(self, arm: str, step: str) -> Node:
        [found] = [node for node in self.graph(arm).nodes() if node.step.name == step]
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as patched:
        at(tmp_path_factory.mktemp("home"), patched)
        yield Ran(run(STUDY, patched), make_plan(load_mapping(STUDY)))


def test_every_arm_ends_and_every_number_has_a_name_of_the_design(ran: Ran) -> None:
    assert ran.outcome.exit_code == 0 and not ran.plan.missing(verified=True)
    assert list(ran.outcome.comparison.arms) == list(ARMS)
    for planned in ran.plan.trials:
        rows, promised = ran.rows(planned.trial.arm), planned.trial.study.metrics()
        assert not [name for name in rows if unfit(name)]
        kept_back = {name for name in promised if name.startswith("distillation/")} if planned.trial.arm == "private" else set()
        assert {name for name in promised if not any(found.startswith(name) for found in rows)} == kept_back


def test_shares_of_reversed_texts_are_those_of_the_lessons_and_private_ones_tell_none(ran: Ran) -> None:
    for arm in ARMS:
        rows = {name: row for name, row in ran.rows(arm).items() if name.startswith("distillation/")}
        facts = Lessons.load(ran.folder(ran.node(arm, "lessons"))).facts
        if arm == "private":
            assert rows == {}
            continue
        texts = {name: count for name, count in facts.items() if name.startswith("texts: ") and name != "texts: no word of a group"}
        row = rows["distillation/texts_reversed"]
        assert row.value == pytest.approx(texts["texts: reversed"] / sum(texts.values())) and row.n == sum(texts.values())
        assert row.value is not None and 0.5 < row.value <= 1 and rows["distillation/places_left_out"].n == facts["places of reversed texts"]


def test_what_an_arm_is_shows_in_what_it_made(ran: Ran) -> None:
    models = {arm: load_model(ran.folder(ran.graph(arm).model), "cpu") for arm in ARMS}
    assert models["leace"].config["amended"] == {"erased": 16} and "amended" not in models["plain"].config
    assert {"fairness/erase/probe_before/score", "fairness/erase/probe_after/score", "cost/train_seconds"} <= ran.rows("leace").keys()
    weights = {arm: model.network.state_dict()["body.transformer.wte.weight"] for arm, model in models.items()}
    assert weights["leace"].equal(weights["plain"])  # the map alone is new
    assert all(not weights[arm].equal(weights["plain"]) for arm in ARMS if arm not in ("plain", "leace"))
    facts = json.loads((ran.folder(ran.graph("private").model) / "privacy.json").read_text())
    assert facts["noise_multiplier"] == 1.0 and {"privacy/epsilon", "privacy/delta"} <= ran.rows("private").keys()
    assert "privacy/epsilon" not in ran.rows("plain")


def test_targets_are_kept_unless_states_are_compared(ran: Ran) -> None:
    for arm in ARMS:
        assert (ran.folder(ran.node(arm, "teach")) / KEPT).exists() == (arm != "states")


def test_rules_label_what_holds_only_under_conditions(ran: Ran) -> None:
    assert "DISTIL-02" in Path(ran.outcome.report).read_text()


def graphs(**changes: Any) -> tuple[Graph, dict[str, TrialGraph]]:
    """The graph of all arms at seed 0, made by hand."""
    graph = Graph()
    return graph, {trial.arm: trial_graph(graph, trial.study, 0, trial.arm, {}) for trial in load_mapping({**STUDY, **changes}).trials}  # type: ignore[arg-type]


def test_teacher_and_lessons_are_made_once_and_like_targets_too() -> None:
    graph, trials = graphs()
    labels = Counter(node.label.removesuffix(f" {arm}") for node in graph for arm in ARMS if node.label.endswith(f" {arm}"))
    assert labels["train teacher"] == labels["lessons"] == labels["prepare"] == labels["prepare teacher"] == labels["fit tokenizer"] == 1
    assert labels["teach"] == 4  # none, exp-mean on texts, exp-mean on both, and none with states
    assert labels["distil"] == 6 and labels["erase"] == 1  # leace is plain, then erased
    keys = {arm: {node.step.name: node.key for node in trial.nodes()} for arm, trial in trials.items()}
    assert keys["exp-mean"]["teach"] == keys["warm"]["teach"] and keys["plain"]["teach"] == keys["private"]["teach"] == keys["leace"]["teach"]
    assert len({keys[arm]["teach"] for arm in ("plain", "exp-mean", "both", "states")}) == 4
    assert keys["leace"]["distil"] == keys["plain"]["distil"] and trials["leace"].model.inputs["model"] is trials["plain"].model
    assert [trials[arm].model.step.name for arm in ("plain", "leace")] == ["distil", "mitigate"]
    assert not any(node.step.name == "mitigate" for arm in ARMS if arm != "leace" for node in trials[arm].nodes())


def test_measurements_are_of_the_mitigated_model() -> None:
    _, trials = graphs()
    for trial in trials.values():
        asked = [node.inputs["model"] for node in trial.nodes() if node.step.name in ("measure", "predict")]
        assert asked and all(model is trial.model for model in asked)


def test_a_teacher_without_data_of_its_own_reads_the_students() -> None:
    arms = {arm: ARMS[arm] for arm in ("plain", "both")}
    _, trials = graphs(teacher_data=None, sweep={"arms": arms})
    for trial in trials.values():
        teacher = next(node for node in trial.nodes() if node.step.name == "train")
        assert teacher.inputs["data"] is trial.data
    _, others = graphs(sweep={"arms": arms})
    assert all(node.inputs["data"] is not trial.data for trial in others.values() for node in trial.nodes() if node.step.name == "train")


def test_output_swaps_matter_to_targets_only_where_reversals_are_read() -> None:
    kinds = {"kind": "exp-mean"}, {"kind": "none"}
    for number, combiner in enumerate(kinds, start=1):
        swaps = {f"swap-{swap}": {"distillation.combiner": combiner, "distillation.swap_output_vocab": swap == "on"} for swap in ("on", "off")}
        graph, _ = graphs(sweep={"arms": swaps})
        assert sum(node.step.name == "teach" for node in graph) == 3 - number


def refused(changes: dict[str, Any]) -> str:
    with pytest.raises(SpecErrors) as caught:
        load_mapping({**STUDY, **changes})
    return " / ".join(f"{error.path}: {error.message}" for error in caught.value.errors)


OTHER_WORDS = {**GPT2, "tokenizer": {**WORDS, "vocabulary": 500}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distillation": {"weights": {"kl": 0, "cross_entropy": 0}}}, "distillation.weights: every weight is 0: there is nothing to learn from"),
        ({"distillation": {"weights": {"kl": -1}}}, "distillation.weights.kl: must be at least 0 (got -1)"),
        ({"distillation": {"temperature": 0}}, "distillation.temperature: must be greater than 0 (got 0)"),
        ({"distillation": {"combinor": {"kind": "mean"}}}, "distillation.combinor: unknown key; did you mean 'combiner'?"),
        ({"distillation": {"combiner": {"kind": "exp_mean"}}}, "distillation.combiner.kind: unknown kind 'exp_mean'; did you mean 'exp-mean'?"),
        ({"distillation": {"apply_to": "orignal"}}, "'original', 'augmented', 'both' (got 'orignal'); did you mean 'original'?"),
        ({"counterfactual": {"kind": "gendre"}}, "counterfactual.kind: unknown kind 'gendre'; did you mean 'gender'?"),
        ({"mitigation": {"kind": "erase", "eraser": {"kind": "lace"}}}, "mitigation.eraser.kind: unknown kind 'lace'; did you mean 'leace'?"),
        ({"mitigation": {"kind": "erase"}}, "mitigation.eraser: is required"),
        ({"student": OTHER_WORDS}, "student.tokenizer: must be the teacher's (trained): what one says is told in the tokens of the other"),
        ({"student": {"kind": "bilstm"}}, "student: a model of kind bilstm does not go on with a text; choose gpt2, pretrained or mlflow"),
        ({"data": {**PEOPLE, "task": "mlm"}}, "data: a student learns to go on with a text: write task: lm (got mlm)"),
    ],
)
def test_what_cannot_be_is_one_line(changes: dict[str, Any], said: str) -> None:
    found = refused({"sweep": {}, **changes})
    assert said in found and " / " not in found and "\n" not in found


@pytest.mark.parametrize("teacher_data", [None, STUDY["data"]])
def test_a_private_student_of_a_teacher_that_read_its_records_is_refused(
    teacher_data: dict[str, Any] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(tmp_path / "home", monkeypatch)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, "teacher_data": teacher_data}))
    for command in ("validate", "run"):
        done = assay(command, path)
        assert done.code == 2 and len(done.error_lines) == 1 and "DISTIL-01" in done.err and "private" in done.err
    path.write_text(yaml.safe_dump(STUDY))
    assert assay("validate", path).code == 0


def test_a_private_arm_is_not_erased() -> None:
    arms = {"erased": {"privacy": PRIVATE, **ARMS["leace"]}}
    assert "DISTIL-04" in refused({"sweep": {"arms": arms}})
