"""Planning: what a study will do, what the store has of it, and how long the rest may take. Runs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.importing import import_models
from pipelines.layouts import settled
from pipelines.submissions import submission_of
from specs.loading import Loaded
from specs.schemas.study import study_key
from specs.sweep import Trial
from tasks.core.fingerprint import digest
from tasks.core.graph import Call, Graph, Node, TrialGraph
from tasks.core.places import store_url
from tasks.core.store import Store, reach_store


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
    """A study's trials and graph over one store. ``said``: what was decided beside the spec, a line each."""

    loaded: Loaded
    trials: tuple[PlannedTrial, ...]
    graph: Graph
    store: Store
    said: tuple[str, ...] = ()

    @property
    def study_key(self) -> str:
        """What the study is: its resolved spec without ``execution``, and the keys of its trials."""
        return digest([study_key(self.loaded.study), [planned.key for planned in self.trials]])

    def missing(self, verified: bool) -> list[Node]:
        """The nodes that must be made, inputs first. ``verified`` hashes every file that is there."""
        there = self.store.intact if verified else self.store.has
        return [node for node in self.graph if not there(node.key)]

    def call(self, node: Node, device: str, producer: str) -> Call:
        """A node as it travels to the process that runs it."""
        execution = self.loaded.study.execution
        physical_batch_size = None if execution.physical_batch_size == "auto" else execution.physical_batch_size
        inputs = {name: needed.key for name, needed in node.inputs.items()}
        label, store, together = node.label, self.store.url, execution.processes_per_training
        return Call(node.step, node.config, inputs, node.seed, node.key, label, node.shape, device, physical_batch_size, store, producer, together)


def make_plan(loaded: Loaded, begin: bool = False, new: bool = False) -> Plan:
    """The plan of a loaded study. ``begin`` is told by a run, ``new`` where it shall be another submission."""
    store = reach_store(store_url())
    loaded, said = settled(loaded, store, begin)
    return replace(_plan(loaded, loaded.trials, store, submission_of(loaded.study, store, begin, new)), said=said)


def plan_trial(loaded: Loaded, arm: str, seed: int, submission: str | None) -> Plan:
    """The plan of a single trial that its study's coordinator sent away: the same nodes with the same keys as in the study."""
    return _plan(loaded, [replace(loaded.trials[0], arm=arm, seed=seed)], reach_store(store_url()), submission)


def _plan(loaded: Loaded, trials: Sequence[Trial], store: Store, submission: str | None) -> Plan:
    graph = Graph(submission)
    kind = importlib.import_module(f"pipelines.dags.{loaded.study.kind.replace('-', '_')}")
    imported = import_models(graph, [trial.study for trial in trials], store)
    planned = []
    for trial in trials:
        label = f"{trial.arm} seed {trial.seed}"
        planned.append(PlannedTrial(trial, kind.trial_graph(graph, trial.study, trial.seed, label, imported)))
    return Plan(loaded, tuple(planned), graph, store)
