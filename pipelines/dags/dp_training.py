"""The DAG of kind dp-training: prepare -> train -> {utility, attacks, fairness}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs, training_data
from specs.schemas._trained import TrainedStudy
from specs.schemas.dp_training import DpTrainingStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.training.steps import TRAIN, TrainConfig


def trial_graph(graph: Graph, study: DpTrainingStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does. ``imported`` holds the recorded models that specs refer to."""
    training = partial(train, imported=imported)
    data, model = training(graph, study, seed, label)
    measurements = (*study.utility, *study.attacks, *study.fairness)
    measured = tuple(measure(graph, measurement, study, seed, label, training) for measurement in measurements)
    return TrialGraph(model, (model, *measured), data)


def train(graph: Graph, study: TrainedStudy, seed: int, label: str, imported: Mapping[str, Node]) -> tuple[Node, Node]:
    """The prepared data and the model artifact trained on it."""
    data = training_data(graph, study, seed, label)
    submission = graph.submission if study.randomness == "secret" else None
    config = TrainConfig(
        model=study.model, training=study.training, privacy=study.privacy, randomness=study.randomness, search=study.search, submission=submission
    )
    inputs = {"data": data, **model_inputs(graph, study.model, imported, label)}
    return data, graph.add(TRAIN, config, inputs, seed, f"train {label}")
