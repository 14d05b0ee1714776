"""The DAG of kind fairness-evaluation: load, or prepare and train, each model -> what metrics need -> metrics; the correlation is over the trials."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs, prepare
from specs.schemas.fairness_evaluation import FairnessEvaluationStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.models.steps import LOAD, LoadConfig
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.training.steps import TRAIN, TrainConfig


def trial_graph(graph: Graph, study: FairnessEvaluationStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does: one model with one seed. ``imported`` holds the recorded models that specs refer to."""
    having = partial(model_of, imported=imported)
    data, model = having(graph, study, seed, label)
    measurements = (*study.utility, *study.attacks, *study.measurements)
    measured = tuple(measure(graph, measurement, study, seed, label, having) for measurement in measurements)
    return TrialGraph(model, (model, *measured), data)


def model_of(graph: Graph, study: FairnessEvaluationStudy, seed: int, label: str, imported: Mapping[str, Node]) -> tuple[Node, Node]:
    """The data and the model artifact: trained here, or loaded, where the artifact itself says what is known of its data."""
    entry = study.entry
    inputs = model_inputs(graph, entry.model, imported, label)
    if entry.data is None:
        loaded = graph.add(LOAD, LoadConfig(model=entry.model, read_as=entry.read_as), inputs, None, f"load {label}")
        return loaded, loaded
    data = prepare(graph, entry.data, seed, label)
    config = TrainConfig(model=entry.model, training=entry.training, privacy=NoPrivacy(kind="none"), randomness="reproducible")
    return data, graph.add(TRAIN, config, {"data": data, **inputs}, seed, f"train {label}")
