"""Fan-out keeps every process at work, ends trials one after another, and lets no failure stop what does not stand on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from pipelines import fanout
from pipelines.fanout import MOST_DEATHS, Failed, Fanout
from pipelines.pool import Pool
from tasks.core.graph import Call, Graph, Node
from tasks.core.step import Step, StepConfig, StepRun
from tests.pipelines.inline import Ended


class Toy(StepConfig):
    """A step's config."""

    name: str


def work(config: Toy, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Nothing is run here."""


STEP = Step("toy", work, Toy)


class Scripted(Pool):
    """A pool whose steps last a number of ticks, and what it saw. ``deadly`` steps end their process, and so all under way, that many times."""

    def __init__(self, seconds: Mapping[str, int], broken: frozenset[str] = frozenset(), deadly: Mapping[str, int] | None = None) -> None:
        self.seconds, self.broken, self.deadly = seconds, broken, dict(deadly or {})
        self.renewed = 0
        self.killed: set[Running] = set()
        self.under_way: list[Running] = []
        self.left: dict[str, int] = {}
        self.order: list[str] = []
        self.busy: list[int] = []
        self.made: list[str] = []

    def submit(self, call: Call, after: Iterable[Any]) -> Any:
        assert all(future.is_completed() for future in after), "a step was handed over before what it stands on"
        self.order.append(call.label)
        self.left[call.label] = self.seconds.get(call.label, 1)
        self.under_way.append(Running(self, call.label))
        return self.under_way[-1]

    def renew(self) -> None:
        self.renewed += 1
        self.under_way = []

    def pass_time(self, waiting: object) -> None:
        running = [label for label, left in self.left.items() if left > 0][:2]
        self.busy.append(len(running))
        for label in running:
            self.left[label] -= 1
            if self.left[label] == 0 and self.deadly.get(label, 0):
                self.deadly[label] -= 1
                self.killed |= {future for future in self.under_way if self.left[future.label] or future.label == label}
                self.left |= {future.label: 0 for future in self.under_way}
                return


class Running(Ended):
    """A future of the pool."""

    __hash__ = object.__hash__

    def __init__(self, pool: Scripted, label: str) -> None:
        super().__init__(RuntimeError("broken") if label in pool.broken else None, ran=True)
        self.pool, self.label = pool, label

    def done(self) -> bool:
        return self in self.pool.killed or self.pool.left[self.label] == 0

    def exception(self, timeout: float) -> BaseException | None:
        return BrokenProcessPool("a process died") if self in self.pool.killed else None


def trials(count: int) -> list[Node]:
    """One prepare, and for each trial a train and two measures that stand on it."""
    graph = Graph()
    data = graph.add(STEP, Toy(name="data"), {}, None, "data")
    for index in range(count):
        model = graph.add(STEP, Toy(name="train"), {"data": data}, index, f"train {index}")
        for name in ("a", "b"):
            graph.add(STEP, Toy(name=name), {"model": model}, index, f"{name} {index}")
    return list(graph)


def made(monkeypatch: pytest.MonkeyPatch, pool: Scripted, nodes: list[Node]) -> list[Failed]:
    monkeypatch.setattr(fanout, "PAUSE", 0.0)
    monkeypatch.setattr(fanout, "TICK", -1.0)

    def call(node: Node) -> Call:
        return Call(node.step, node.config, {}, node.seed, node.key, node.label, node.shape, "cpu", None, "", "")

    return Fanout(pool, call, lambda node: pool.made.append(node.label), pool.pass_time, slots=3).make(nodes)


def test_two_processes_are_both_at_work_while_there_are_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Scripted({f"train {index}": 20 for index in range(4)})
    assert made(monkeypatch, pool, trials(4)) == []
    alone = sum(count == 1 for count in pool.busy)
    assert alone <= 5, f"one of two processes stood still for {alone} of {len(pool.busy)} ticks"
    assert len(pool.busy) < 4 * 20 * 0.7, "the trainings went one after another"


def test_trials_end_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Scripted({f"train {index}": 20 for index in range(6)})
    made(monkeypatch, pool, trials(6))
    assert pool.made.index("b 0") < pool.made.index("train 4")
    assert sorted(pool.made) == sorted(node.label for node in trials(6))


def test_a_failure_takes_down_what_stands_on_it_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Scripted({}, broken=frozenset({"train 1"}))
    failed = made(monkeypatch, pool, trials(3))
    assert [(one.node.label, one.root) for one in failed] == [("train 1", True), ("a 1", False), ("b 1", False)]
    assert {one.reason for one in failed} == {"RuntimeError: broken"}
    assert {"b 0", "b 2"} <= set(pool.made) and "a 1" not in pool.order


def test_what_failed_before_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = trials(2)
    pool = Scripted({})
    monkeypatch.setattr(fanout, "PAUSE", 0.0)
    lost = Failed(nodes[0], "no such file", root=True)
    failed = Fanout(pool, lambda node: pytest.fail("submitted"), lambda node: None, lambda waiting: None, slots=3).make(nodes[1:], [lost])
    assert len(failed) == 6 and {one.reason for one in failed} == {"no such file"} and not any(one.root for one in failed)


def test_a_process_that_dies_once_costs_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Scripted({f"train {index}": 5 for index in range(3)}, deadly={"train 1": 1})
    assert made(monkeypatch, pool, trials(3)) == []
    assert pool.renewed == 1 and sorted(pool.made) == sorted(node.label for node in trials(3))


def test_a_step_that_always_kills_its_process_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Scripted({f"train {index}": 5 for index in range(3)}, deadly={"train 1": 99})
    failed = made(monkeypatch, pool, trials(3))
    assert [(one.node.label, one.root) for one in failed] == [("train 1", True), ("a 1", False), ("b 1", False)]
    assert f"ended {MOST_DEATHS} times" in failed[0].reason
    assert pool.renewed == MOST_DEATHS and {"b 0", "b 2"} <= set(pool.made)
    assert pool.order.count("train 0") <= 2, "an innocent step was lost more than once"
