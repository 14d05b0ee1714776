"""The DAG of kind debiased-distillation: prepare -> teacher -> lessons (reverse, align) -> teach -> distil -> {utility, attacks, fairness}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs, prepare, training_data
from specs.schemas.debiased_distillation import DebiasedDistillationStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.distillation.steps import DISTIL, LESSONS, TEACH, DistilConfig, LessonsConfig, TeachConfig
from tasks.fairness.steps import MITIGATE, MitigateConfig
from tasks.models.steps import LOAD, LoadConfig
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.training.steps import TRAIN, TrainConfig
from tasks.training.training import Training


def trial_graph(graph: Graph, study: DebiasedDistillationStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does. ``imported`` holds the recorded models that specs refer to."""
    training = partial(train, imported=imported)
    data, model = training(graph, study, seed, label)
    measurements = (*study.utility, *study.attacks, *study.fairness)
    measured = tuple(measure(graph, measurement, study, seed, label, training) for measurement in measurements)
    return TrialGraph(model, (model, *measured), data)


def train(graph: Graph, study: DebiasedDistillationStudy, seed: int, label: str, imported: Mapping[str, Node]) -> tuple[Node, Node]:
    """The prepared data and the student's model artifact. Arms that differ in the student alone share teacher and lessons, and like targets."""
    data = training_data(graph, study, seed, label)
    teacher = _teacher(graph, study, seed, label, imported, data)
    lessons = graph.add(LESSONS, LessonsConfig(counterfactual=study.counterfactual), {"data": data, "teacher": teacher}, None, f"lessons {label}")
    teaching = TeachConfig(counterfactual=study.counterfactual, distillation=study.distillation.of_targets())
    targets = graph.add(TEACH, teaching, {"lessons": lessons, "teacher": teacher}, None, f"teach {label}")
    config = DistilConfig(
        model=study.student,
        training=study.training,
        privacy=study.privacy,
        randomness=study.randomness,
        submission=graph.submission if study.randomness == "secret" else None,
        counterfactual=study.counterfactual,
        distillation=study.distillation,
    )
    inputs = {"data": data, "teacher": teacher, "lessons": lessons, "targets": targets, **model_inputs(graph, study.student, imported, label)}
    student = graph.add(DISTIL, config, inputs, seed, f"distil {label}")
    if not type(study.mitigation).changes:
        return data, student
    mitigation = MitigateConfig(mitigation=study.mitigation, counterfactual=study.counterfactual)
    return data, graph.add(MITIGATE, mitigation, {"model": student, "data": data}, seed, f"{study.mitigation.kind} {label}")


def _teacher(graph: Graph, study: DebiasedDistillationStudy, seed: int, label: str, imported: Mapping[str, Node], data: Node) -> Node:
    inputs = model_inputs(graph, study.teacher, imported, label)
    if study.teacher_is_loaded:
        return graph.add(LOAD, LoadConfig(model=study.teacher, read_as="causal-lm"), inputs, None, f"load teacher {label}")
    read = data if study.teacher_data is None else prepare(graph, study.teacher_data, seed, f"teacher {label}")
    training = study.teacher_training or Training()
    config = TrainConfig(model=study.teacher, training=training, privacy=NoPrivacy(kind="none"), randomness="reproducible")
    return graph.add(TRAIN, config, {"data": read, **inputs}, seed, f"train teacher {label}")
