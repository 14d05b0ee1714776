"""Planning: what a study will do, what the store has of it, and how long the rest may take. Runs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.importing import import_models
from specs.loading import Loaded
from specs.schemas.study import study_key
from specs.sweep import Trial
from tasks.core.fingerprint import digest
from tasks.core.graph import Call, Graph, Node, TrialGraph
from tasks.core.places import store_url
from tasks.core.store import Store, open_store
from tasks.runtime.execution import durations


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and its part of the graph."""

    trial: Trial
    graph: TrialGraph

    @property
    def name(self) -> str:
        """Arm and seed, as people see them."""
        return f"{self.trial.arm} seed {self.trial.seed}"

    @property
    def key(self) -> str:
        """What the trial is: the keys of all it stands on."""
        return digest(sorted(node.key for node in self.graph.nodes()))


@dataclass(frozen=True)
class Plan:
    """A study's trials and graph over one store."""

    loaded: Loaded
    trials: tuple[PlannedTrial, ...]
    graph: Graph
    store: Store

    @property
    def study_key(self) -> str:
        """What the study is: its resolved spec without ``execution``, and the keys of its trials."""
        return digest([study_key(self.loaded.study), [planned.key for planned in self.trials]])

    def missing(self, verified: bool) -> list[Node]:
        """The nodes that must be made, inputs first. ``verified`` hashes every file that is there."""
        there = self.store.intact if verified else self.store.has
        return [node for node in self.graph if not there(node.key)]

    def call(self, node: Node, device: str, physical_batch_size: int | None, producer: str) -> Call:
        """A node as it travels to the process that runs it."""
        inputs = {name: needed.key for name, needed in node.inputs.items()}
        label, store = node.label, self.store.url
        return Call(node.step, node.config, inputs, node.seed, node.key, label, node.shape, device, physical_batch_size, store, producer)


def make_plan(loaded: Loaded) -> Plan:
    """The plan of a loaded study."""
    store = open_store(store_url())
    graph = Graph()
    kind = importlib.import_module(f"pipelines.dags.{loaded.study.kind.replace('-', '_')}")
    imported = import_models(graph, [trial.study for trial in loaded.trials], store)
    trials = []
    for trial in loaded.trials:
        label = f"{trial.arm} seed {trial.seed}"
        trials.append(PlannedTrial(trial, kind.trial_graph(graph, trial.study, trial.seed, label, imported)))
    return Plan(loaded, tuple(trials), graph, store)


def seconds_left(nodes: Iterable[Node], known: dict[str, float], processes: int) -> float | None:
    """Estimated wall seconds for some nodes, from steps of the same shape made before; None where one was never made."""
    wanted = [known.get(node.shape) for node in nodes]
    if any(seconds is None for seconds in wanted):
        return None
    return sum(seconds for seconds in wanted if seconds is not None) / max(1, processes)


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan for scripts, in the words of the spec language."""
    missing = {node.key for node in plan.missing(verified=False)}
    known = durations(plan.store)
    return {
        "study": plan.loaded.study.name,
        "trials": [_trial_json(planned, missing, known) for planned in plan.trials],
        "refused": [],
        "labels": [str(label) for label in plan.loaded.labels],
    }


def _trial_json(planned: PlannedTrial, missing: set[str], known: dict[str, float]) -> dict[str, Any]:
    nodes = planned.graph.nodes()
    estimate = seconds_left([node for node in nodes if node.key in missing], known, 1)
    return {
        "arm": planned.trial.arm,
        "seed": planned.trial.seed,
        "key": planned.key,
        "seconds_estimate": None if estimate is None else round(estimate, 1),
        "steps": [{"name": node.step.name, "key": node.key, "reused": node.key not in missing} for node in nodes],
        "privacy": None,
    }
