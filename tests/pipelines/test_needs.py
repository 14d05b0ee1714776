"""Measurements train nothing: each need becomes steps of the kind's own, one per key, and its folder is handed over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from safetensors.torch import load_file

from pipelines.dags.dp_training import train
from pipelines.dags.needs import measure
from specs.loading import load_mapping
from specs.schemas.dp_training import DpTrainingStudy
from tasks.attacks.attack import ATTACKS, Attack
from tasks.core.graph import Call, Graph, Node, with_inputs
from tasks.core.measures import FineTuned, Layout, Measurement, Measures, Need, Predictions, PreparedOther, ReferenceModel, Row, ShadowModels, TrainedOther
from tasks.core.store import Store, open_store
from tasks.data.steps import PrepareConfig
from tasks.models.model import TaskShape
from tasks.runtime.execution import execute
from tasks.training.mechanism_check import CheckConfig
from tasks.training.steps import TrainConfig

STUDY = {
    "kind": "dp-training",
    "name": "needs",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent", "public_size": 140, "attack_holdout": 20},
    "model": {"kind": "bilstm", "hidden_size": 8, "embedding_size": 8},
    "training": {"epochs": 1},
    "attacks": [],
}


class TwoShadows(Measurement):
    """Compares a target with two shadow models and a smaller reference."""

    kind: Literal["two-shadows"]
    shadows: int = 2
    layout: Layout = "sequential"

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        size = study["model"]["hidden_size"]
        return (
            Predictions(split="test"),
            ShadowModels(count=self.shadows, layout=self.layout),
            ReferenceModel(label="half", changes={"model.hidden_size": size // 2}),
        )

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        models = {name: folder for name, folder in needed.items() if (folder / "model.safetensors").exists()}
        members = [set(json.loads((folder / "data.json").read_text())["members"]) for folder in (target, *models.values())]
        report.progress(1, 1, "compared")
        rows = (
            Row(name=self.metric("privacy", "models"), value=len(models)),
            Row(name=self.metric("privacy", "pools"), value=len(set(map(frozenset, members)))),
            Row(name=self.metric("privacy", "names"), value=len(needed)),
        )
        return Measures(rows, {"id": sorted(needed)})


@pytest.fixture(scope="module")
def study() -> DpTrainingStudy:
    loaded = load_mapping(STUDY).study
    assert isinstance(loaded, DpTrainingStudy)
    return loaded


@pytest.fixture(scope="module")
def made(study: DpTrainingStudy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Graph, Node]:
    store = open_store(str(tmp_path_factory.mktemp("store")))
    graph = Graph()
    node = measure(graph, TwoShadows(kind="two-shadows"), study, 3, "target", partial(train, imported={}))
    for one in with_inputs([node]):
        inputs = {name: needed.key for name, needed in one.inputs.items()}
        assert execute(Call(one.step, one.config, inputs, one.seed, one.key, one.label, one.shape, "cpu", None, store.url, ""))
    return store, graph, node


def test_each_need_is_made_by_the_kinds_own_steps(made: tuple[Store, Graph, Node]) -> None:
    _, graph, node = made
    steps = [one.step.name for one in graph]
    assert steps.count("train") == 4 and steps.count("predict") == 5 and steps.count("measure") == 1
    wanted = ["half", "half/data"]
    assert sorted(name for name in node.inputs) == sorted(
        [
            "model",
            "data",
            "needed/predictions/test",
            *(f"needed/shadow/{i}{end}" for i in range(2) for end in ("", "/data", "/train", "/nonmembers")),
            *(f"needed/reference/{n}" for n in wanted),
        ]
    )


def test_the_measurement_gets_the_folders_by_name(made: tuple[Store, Graph, Node]) -> None:
    store, _, node = made
    rows = {row.name: row.value for row in Measures.load_rows(store.open(node.key))}
    assert rows == {"privacy/two_shadows/models": 3, "privacy/two_shadows/pools": 3, "privacy/two_shadows/names": 11}


def test_shadows_are_trained_as_the_target_on_pools_of_their_own(made: tuple[Store, Graph, Node]) -> None:
    store, _, node = made
    weights = [load_file(store.open(node.inputs[name].key) / "model.safetensors") for name in ("model", "needed/shadow/0", "needed/shadow/1")]
    shapes = [{name: tensor.shape for name, tensor in found.items()} for found in weights]
    assert shapes[0] == shapes[1] == shapes[2]
    assert not weights[0]["intent.weight"].equal(weights[1]["intent.weight"]) and not weights[1]["intent.weight"].equal(weights[2]["intent.weight"])


def test_shadows_are_trained_under_the_targets_own_mechanism() -> None:
    """Private ones where the target is private, with randomness and people of nobody's: nothing is charged, and nothing secret used up."""
    secret = {"randomness": "secret", "privacy": {"kind": "dp-sgd", "target_epsilon": 3}, "data": {**STUDY["data"], "population": "people"}}  # type: ignore[dict-item]
    private = load_mapping({**STUDY, **secret}).study
    assert isinstance(private, DpTrainingStudy)
    graph = Graph("submission")
    node = measure(graph, TwoShadows(kind="two-shadows"), private, 3, "target", partial(train, imported={}))
    target = node.inputs["model"].config
    for name in ("needed/shadow/0", "needed/shadow/1"):
        shadow = node.inputs[name]
        assert isinstance(shadow.config, TrainConfig) and isinstance(target, TrainConfig)
        assert (shadow.config.privacy, shadow.config.training, shadow.config.model) == (target.privacy, target.training, target.model)
        assert (target.randomness, shadow.config.randomness, shadow.config.submission) == ("secret", "reproducible", None)
        data = shadow.inputs["data"].config
        assert isinstance(data, PrepareConfig) and data.data.population is None and data.data.attack_holdout == private.data.attack_holdout


def test_an_audit_trains_models_with_records_of_its_own() -> None:
    audit = ATTACKS.parse({"kind": "one-run", "canaries": 50})
    runs = ATTACKS.parse({"kind": "clopper-pearson", "runs": 3})
    private = load_mapping({**STUDY, "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0}}).study
    assert isinstance(audit, Attack) and isinstance(runs, Attack) and isinstance(private, DpTrainingStudy)
    graph = Graph()
    training = partial(train, imported={})
    node = measure(graph, audit, private, 3, "target", training)
    assert sorted(node.inputs) == ["data", "model", "needed/audited/0", "needed/audited/0/data"]
    audited = node.inputs["needed/audited/0"].inputs
    assert audited["data"] is node.inputs["needed/audited/0/data"] and audited["data"].step.name == "insert"
    assert audited["model"].config == node.inputs["model"].config and audited["model"] is not node.inputs["model"]
    again = measure(graph, ATTACKS.parse({"kind": "gdp", "canaries": 50}), private, 3, "target", training)  # type: ignore[arg-type]
    assert again.inputs["needed/audited/0"] is node.inputs["needed/audited/0"], "audits of as many records share their model"
    many = measure(graph, runs, private, 3, "target", training)
    assert len({many.inputs[f"needed/audited/{index}"].inputs["model"].key for index in range(3)}) == 3


def test_a_reference_differs_in_what_it_says_alone(made: tuple[Store, Graph, Node]) -> None:
    store, _, node = made
    target, reference = (json.loads((store.open(node.inputs[name].key) / "config.json").read_text())["model"] for name in ("model", "needed/reference/half"))
    assert {name for name in target if target[name] != reference[name]} == {"hidden_size"} and reference["hidden_size"] == 4
    assert node.inputs["needed/reference/half/data"] is node.inputs["data"]


def test_equal_needs_share_their_work(study: DpTrainingStudy, made: tuple[Store, Graph, Node]) -> None:
    _, graph, _ = made
    before = len(graph.nodes)
    training = partial(train, imported={})
    measure(graph, TwoShadows(kind="two-shadows", label="again"), study, 3, "target", training)
    assert len(graph.nodes) == before + 1
    measure(graph, TwoShadows(kind="two-shadows", shadows=3), study, 3, "target", training)
    assert len(graph.nodes) == before + 6  # one more pool, one more model, asked about both pools, one more measurement


def mechanism(graph: Graph, **changes: Any) -> Node:
    """The measurement of a private trial's mechanism."""
    private = load_mapping({**STUDY, "privacy": {"kind": "dp-sgd", "noise_multiplier": 1.0}, **changes}).study
    attack = ATTACKS.parse({"kind": "mechanism", "steps": 2})
    assert isinstance(private, DpTrainingStudy) and isinstance(attack, Attack)
    return measure(graph, attack, private, 3, "target", partial(train, imported={}))


def test_a_mechanism_is_checked_beside_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step more, on what the training stands on; the numbers come from it and from the model's record."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    store, graph = open_store(str(tmp_path / "store")), Graph()
    node = mechanism(graph)
    model, check = node.inputs["model"], node.inputs["needed/mechanism"]
    assert sorted(node.inputs) == ["data", "model", "needed/mechanism"] and [one.step.name for one in graph].count("check-mechanism") == 1
    assert check.inputs == model.inputs and check.seed == model.seed and isinstance(check.config, CheckConfig)
    assert check.config.trial == model.config and check.config.steps == 2
    for one in with_inputs([node]):
        inputs = {name: needed.key for name, needed in one.inputs.items()}
        assert execute(Call(one.step, one.config, inputs, one.seed, one.key, one.label, one.shape, "cpu", None, store.url, ""))
    rows = {row.name.rsplit("/")[-1]: row for row in Measures.load_rows(store.open(node.key))}
    assert (
        rows["violations"].value == 0
        and rows["violations"].reason is None
        and set(rows)
        == {
            "noise_ratio",
            "noise_p_value",
            "sensitivity_ratio",
            "violations",
        }
    )


def test_the_check_of_a_secret_training_is_not_secret_and_is_shared_by_submissions() -> None:
    found = [mechanism(Graph(submission=name), randomness="secret") for name in ("first", "second")]
    models, checks = ([node.inputs[name] for node in found] for name in ("model", "needed/mechanism"))
    assert models[0].key != models[1].key and checks[0].key == checks[1].key
    config = checks[0].config
    assert isinstance(config, CheckConfig) and isinstance(models[0].config, TrainConfig)
    assert (config.trial.randomness, models[0].config.randomness) == ("reproducible", "secret") and checks[0].step.charge is None


class OtherData(Measurement):
    """Fine-tunes the target on other data, reads a third set, and has a judge trained whatever the target."""

    kind: Literal["other-data"]

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        other = {"kind": "synthetic-assistant", "examples": 120, "task": "intent", "intents": 4, "seed": 9}
        training = {"epochs": 1}
        return (
            FineTuned(data=other, training=training),
            PreparedOther(label="contexts", data={**other, "task": "lm"}),
            TrainedOther(label="judge", data=other, model={"kind": "linear"}, training=training),
        )

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        tuned = json.loads((needed["fine-tuned"] / "labels.json").read_text())["labels"]
        shared = _shared(load_file(target / "model.safetensors"), load_file(needed["fine-tuned"] / "model.safetensors"))
        judge = json.loads((needed["trained/judge"] / "config.json").read_text())["model"]["kind"]
        task = json.loads((needed["data/contexts"] / "data.json").read_text())["task"]
        numbers = {"labels": len(tuned), "shared": shared, "judge": judge == "linear", "contexts": task == "lm", "names": len(needed)}
        return Measures(tuple(Row(name=self.metric("fairness", name), value=value) for name, value in numbers.items()))


def _shared(one: Mapping[str, Any], two: Mapping[str, Any]) -> int:
    """Layers of the body that both have in one shape."""
    return sum(name in two and two[name].shape == value.shape for name, value in one.items() if not name.startswith(("intent", "slots")))


def test_other_data_is_prepared_fine_tuned_and_judged(study: DpTrainingStudy, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    graph = Graph()
    node = measure(graph, OtherData(kind="other-data"), study, 3, "target", partial(train, imported={}))
    assert [one.step.name for one in graph].count("fine-tune") == 1
    for one in with_inputs([node]):
        inputs = {name: needed.key for name, needed in one.inputs.items()}
        assert execute(Call(one.step, one.config, inputs, one.seed, one.key, one.label, one.shape, "cpu", None, store.url, ""))
    found = {row.name.rsplit("/")[-1]: row.value for row in Measures.load_rows(store.open(node.key))}
    assert found == {"labels": 4, "shared": len(_body(study)), "judge": 1, "contexts": 1, "names": 5}


def _body(study: DpTrainingStudy) -> list[str]:
    started = study.model.start(TaskShape("intent", ("a", "b")), {}, 0)
    return [name for name, _ in started.network.named_parameters() if not name.startswith(("intent", "slots"))]


def test_shadows_that_are_stacked_are_those_trained_alone(study: DpTrainingStudy, made: tuple[Store, Graph, Node]) -> None:
    """One step trains both, on the same pools. This study has dropout; that weights are equal without it, test_stack shows."""
    store, graph, single = made
    node = measure(graph, TwoShadows(kind="two-shadows", layout="stacked"), study, 3, "target", partial(train, imported={}))
    new = [one for one in with_inputs([node]) if not store.has(one.key)]
    assert [one.step.name for one in new] == ["train-stacked", *["shadow", "predict", "predict"] * 2, "measure"]
    for one in new:
        inputs = {name: needed.key for name, needed in one.inputs.items()}
        assert execute(Call(one.step, one.config, inputs, one.seed, one.key, one.label, one.shape, "cpu", None, store.url, ""))
    assert node.inputs.keys() == single.inputs.keys()
    for name in ("needed/shadow/0", "needed/shadow/1"):
        assert node.inputs[f"{name}/data"] is single.inputs[f"{name}/data"]
        members = [json.loads((store.open(found.inputs[name].key) / "data.json").read_text()) for found in (node, single)]
        assert members[0] == members[1]
    assert {row.name: row.value for row in Measures.load_rows(store.open(node.key))}["privacy/two_shadows/pools"] == 3


def stacked_steps(study: DpTrainingStudy, count: int, layout: Layout = "stacked") -> list[Node]:
    graph = Graph()
    measure(graph, TwoShadows(kind="two-shadows", shadows=count, layout=layout), study, 3, "target", partial(train, imported={}))
    assert all(needed is graph.nodes[needed.key] for one in graph for needed in one.inputs.values())
    return list(graph)


def test_many_shadows_are_several_stacks_that_a_larger_need_shares(study: DpTrainingStudy) -> None:
    many, more = stacked_steps(study, 20), stacked_steps(study, 32)
    stacks = [[one for one in steps if one.step.name == "train-stacked"] for steps in (many, more)]
    sizes = [[len(one.config.seeds) for one in found] for found in stacks]  # type: ignore[attr-defined]
    assert sizes == [[16, 4], [16, 16]] and stacks[0][0].key == stacks[1][0].key
    assert [one.step.name for one in many].count("train") == 2, "the target and the reference alone"
    assert [one.step.name for one in many].count("shadow") == 20
    alone = stacked_steps(study, 20, "sequential")
    seeds = [one.seed for one in alone if one.step.name == "train" and one.label.startswith("train shadow")]
    assert seeds == [seed for one in stacks[0] for seed in one.config.seeds]  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", [{"privacy": {"kind": "dp-sgd", "target_epsilon": 3}}, {"training": {"epochs": 1, "early_stopping": {}}}])
def test_what_cannot_be_stacked_is_trained_one_after_another(change: dict[str, Any]) -> None:
    study = load_mapping({**STUDY, **change}).study
    assert isinstance(study, DpTrainingStudy)
    keys = [sorted(one.key for one in stacked_steps(study, 3, layout) if one.step.name != "measure") for layout in ("stacked", "sequential")]
    assert keys[0] == keys[1]


def test_a_layout_that_is_not_settled_is_sequential(study: DpTrainingStudy) -> None:
    assert {one.step.name for one in stacked_steps(study, 2, "auto")} == {"prepare", "train", "predict", "measure"}
