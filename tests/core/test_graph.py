"""The graph: equal work stands in it once, and what is planned aside is taken over with all it stands on, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.core.graph import Graph, Node
from tasks.core.step import Step, StepConfig, StepRun


class Numbered(StepConfig):
    """A step's number."""

    number: int


def work(config: Numbered, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    raise AssertionError("nothing runs here")


STEP = Step("numbered", work, Numbered)


def added(graph: Graph, number: int, *inputs: Node) -> Node:
    return graph.add(STEP, Numbered(number=number), {str(index): node for index, node in enumerate(inputs)}, None, str(number))


def test_equal_work_stands_once() -> None:
    graph = Graph()
    assert added(graph, 1) is added(graph, 1) and added(graph, 1) is not added(graph, 2)
    assert len(list(graph)) == 2


def test_what_is_taken_over_comes_with_what_it_stands_on() -> None:
    graph = Graph("of this submission")
    first = added(graph, 1)
    aside = graph.aside()
    assert aside.submission == graph.submission and added(aside, 1) is first
    second, unwanted = added(aside, 2, first), added(aside, 9)
    third = added(aside, 3, second)
    assert list(graph) == [first]
    graph.take([third])
    assert list(graph) == [first, second, third] and unwanted.key not in graph.nodes
    assert added(graph, 3, second) is third
