"""The graph of a study: which steps, on what, in which order. Pure: building it runs nothing.

Equal work has an equal key and stands in the graph once, however many trials share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tasks.core.fingerprint import digest, keyed_values, step_key
from tasks.core.step import Step, StepConfig


@dataclass(frozen=True, eq=False)
class Node:
    """One step on its config, inputs and seed. ``seed`` is None where no seed matters, so that trials share the work."""

    step: Step
    config: StepConfig
    inputs: Mapping[str, Node]
    seed: int | None
    key: str
    label: str

    @cached_property
    def shape(self) -> str:
        """What decides how long the step takes: its config, and the configs of its inputs, without seeds and code."""
        return digest([self.step.name, keyed_values(self.config), {name: node.shape for name, node in self.inputs.items()}])


@dataclass(frozen=True)
class Call:
    """A node as it travels to the process that runs it: its inputs by key."""

    step: Step
    config: StepConfig
    inputs: Mapping[str, str]
    seed: int | None
    key: str
    label: str
    shape: str
    device: str
    physical_batch_size: int | None
    store: str
    producer: str
    processes: int = 1


@dataclass
class Graph:
    """Nodes by key, in an order in which inputs come before what needs them.

    ``submission`` enters the key of work whose randomness is secret: such work belongs to one submission and is never shared.
    """

    submission: str | None = None
    nodes: dict[str, Node] = field(default_factory=dict)

    def add(self, step: Step, config: StepConfig, inputs: Mapping[str, Node], seed: int | None, label: str) -> Node:
        """The node of this work; one that is in the graph already is shared."""
        key = step_key(step.name, step.module, config, {name: node.key for name, node in inputs.items()}, seed)
        if key not in self.nodes:
            self.nodes[key] = Node(step, config, dict(inputs), seed, key, label)
        return self.nodes[key]

    def aside(self) -> Graph:
        """A graph that begins with the nodes of this one; what is added to it is not added here."""
        return Graph(self.submission, dict(self.nodes))

    def take(self, nodes: Iterable[Node]) -> None:
        """Add nodes that were made aside, and everything they stand on."""
        for node in with_inputs(nodes):
            self.nodes.setdefault(node.key, node)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())


def with_inputs(nodes: Iterable[Node]) -> list[Node]:
    """The nodes and everything they stand on, inputs first, each once."""
    ordered: dict[str, Node] = {}

    def visit(node: Node) -> None:
        if node.key not in ordered:
            for needed in node.inputs.values():
                visit(needed)
            ordered[node.key] = node

    for node in nodes:
        visit(node)
    return list(ordered.values())


@dataclass(frozen=True)
class TrialGraph:
    """What one trial is made of: the model artifact it ends in, every folder with numbers, and the prepared data."""

    model: Node
    measured: tuple[Node, ...]
    data: Node

    def nodes(self) -> list[Node]:
        """Every node of the trial, inputs first."""
        return with_inputs((self.data, self.model, *self.measured))
