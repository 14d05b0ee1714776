"""The DAG of kind privacy-audit: prepare, insert canaries -> train, or load -> {attacks and audits, utility, fairness}."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.dags import dp_training
from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs, prepare
from specs.schemas.privacy_audit import PrivacyAuditStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.models.steps import LOAD, MEMBERS, LoadConfig, MembersConfig


def trial_graph(graph: Graph, study: PrivacyAuditStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does. ``imported`` holds the recorded models that specs refer to."""
    training = partial(load if study.is_loaded else dp_training.train, imported=imported)
    data, model = training(graph, study, seed, label)
    measurements = (*study.attacks, *study.utility, *study.fairness)
    measured = tuple(measure(graph, measurement, study, seed, label, training) for measurement in measurements)
    return TrialGraph(model, (model, *measured), data)


def load(graph: Graph, study: PrivacyAuditStudy, seed: int, label: str, imported: Mapping[str, Node]) -> tuple[Node, Node]:
    """The data, told apart into members and others, and the model artifact of a model from elsewhere."""
    inputs = model_inputs(graph, study.model, imported, label)
    model = graph.add(LOAD, LoadConfig(model=study.model), inputs, None, f"load {label}")
    data = prepare(graph, study.data, seed, label)
    return graph.add(MEMBERS, MembersConfig(members=study.members), {"data": data, "model": model}, None, f"members {label}"), model
