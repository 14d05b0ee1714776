"""The DAG of kind retraining-audit: that of the study that is trained; beside it the champion, loaded and measured on the same data."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pipelines.dags.needs import measure
from pipelines.dags.pieces import model_inputs
from specs.schemas.retraining_audit import RetrainingAuditStudy
from tasks.core.graph import Graph, Node, TrialGraph
from tasks.models.steps import LOAD, LoadConfig


def trial_graph(graph: Graph, study: RetrainingAuditStudy, seed: int, label: str, imported: Mapping[str, Node]) -> TrialGraph:
    """Everything one trial does: the night's training, or the champion. Attacks are on the candidate alone: they need the records it was trained on."""
    inner: Any = study.trained
    trained: TrialGraph = importlib.import_module(f"pipelines.dags.{inner.kind.replace('-', '_')}").trial_graph(graph, inner, seed, label, imported)
    if not study.is_champion or study.night is None or study.night.champion is None:
        return trained
    champion = study.night.champion.model
    model = graph.add(LOAD, LoadConfig(model=champion), model_inputs(graph, champion, imported, label), None, f"load {label}")

    def having(*_: object) -> tuple[Node, Node]:
        return trained.data, model

    measured = tuple(measure(graph, measurement, inner, seed, label, having) for measurement in (*study.utility, *study.fairness))
    return TrialGraph(model, (model, *measured), trained.data)
