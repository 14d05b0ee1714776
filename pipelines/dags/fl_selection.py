"""The DAG of kind fl-selection: prepare -> partition -> federate -> {utility, attacks, fairness, utility by activity, catching up}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs, training_data
from specs.schemas.fl_selection import FlSelectionStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.federated.steps import CATCH_UP, FEDERATE, PARTITION, STRATA, CatchUpConfig, FederateConfig, PartitionConfig, StrataConfig
from tasks.federated.timeline import Timeline
from tasks.models.steps import PREDICT, PredictConfig


def trial_graph(graph: Graph, study: FlSelectionStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does. ``imported`` holds the recorded models that specs refer to."""
    training = partial(train, imported=imported)
    data, model = training(graph, study, seed, label)
    measurements = (*study.utility, *study.attacks, *study.fairness)
    measured = [measure(graph, measurement, study, seed, label, training) for measurement in measurements]
    measured.append(_strata(graph, study, seed, label, data, model))
    if study.has_reference:
        measured.append(_catch_up(graph, study, seed, label, imported, model))
    return TrialGraph(model, (model, *measured), data)


def train(graph: Graph, study: FlSelectionStudy, seed: int, label: str, imported: Mapping[str, Node]) -> tuple[Node, Node]:
    """The prepared data and the model artifact trained on the devices that hold it."""
    data = training_data(graph, study, seed, label)
    population = _population(graph, study, seed, label, data)
    config = FederateConfig(
        model=study.model,
        federation=study.federation,
        labels=study.labels,
        privacy=study.privacy,
        randomness=study.randomness,
        unit=study.partition.unit,
        submission=graph.submission if study.randomness == "secret" else None,
        evaluation=study.evaluation,
        metric=study.scored,
    )
    inputs = {"data": data, "population": population, **model_inputs(graph, study.model, imported, label)}
    return data, graph.add(FEDERATE, config, inputs, seed, f"federate {label}")


def _population(graph: Graph, study: FlSelectionStudy, seed: int, label: str, data: Node) -> Node:
    """Who holds what; shared by all seeds and strategies where no seed matters."""
    timeline = study.federation.timeline
    config = PartitionConfig(partition=study.partition, timeline=timeline.cut())
    return graph.add(PARTITION, config, {"data": data}, seed if type(study.partition).by_seed else None, f"partition {label}")


def _strata(graph: Graph, study: FlSelectionStudy, seed: int, label: str, data: Node, model: Node) -> Node:
    predicted = graph.add(PREDICT, PredictConfig(split="test"), {"model": model, "data": data}, None, f"predict test {label}")
    inputs = {"predictions": predicted, "population": _population(graph, study, seed, label, data)}
    config = StrataConfig(metrics=study.utility, evaluation=study.evaluation, timeline=study.federation.timeline)
    return graph.add(STRATA, config, inputs, seed, f"utility by activity {label}")


def _catch_up(graph: Graph, study: FlSelectionStudy, seed: int, label: str, imported: Mapping[str, Node], model: Node) -> Node:
    """The same training with all data at once, and how soon this one is level with it."""
    timeline: Timeline = study.federation.timeline.at_once()
    reference = study.model_copy(update={"federation": study.federation.model_copy(update={"timeline": timeline})})
    _, other = train(graph, reference, seed, f"all at once for {label}", imported)
    federation = study.federation
    last = timeline.window_count - 1
    start = next(done for done in range(federation.rounds) if timeline.window_of_round(done, federation.rounds) == last)
    config = CatchUpConfig(start=start, margin=study.catch_up.margin, hold=study.catch_up.hold, metric=study.scored)
    return graph.add(CATCH_UP, config, {"model": model, "reference": other}, seed, f"catch up {label}")
