"""The time left follows from what was measured before, and from the pace of what runs now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.timeleft import TimeLeft
from tasks.core.graph import Graph, Node
from tasks.core.step import Step, StepConfig, StepRun


class Toy(StepConfig):
    """A step's config."""

    size: int


def work(config: Toy, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Nothing is run here."""


TRAIN = Step("train", work, Toy)


def nodes(*sizes: int) -> list[Node]:
    graph = Graph()
    return [graph.add(TRAIN, Toy(size=size), {}, index, f"train {index}") for index, size in enumerate(sizes)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_steps_of_a_known_shape_count_their_seconds() -> None:
    found = nodes(1, 1, 2)
    left = TimeLeft({found[0].shape: 10.0, found[2].shape: 30.0}, processes=2)
    assert left.estimate(found, {}) == 30.0  # the longest step cannot be shared
    assert left.estimate(found[:2], {}) == 10.0
    assert left.estimate(found[:1], {found[0].key: 0.75}) == 2.5


def test_without_a_clue_nothing_is_said() -> None:
    assert TimeLeft({}, 2).estimate(nodes(1, 2), {}) is None
    assert TimeLeft({}, 2).estimate([], {}) == 0


def test_a_running_step_tells_its_own_pace_and_that_of_its_shape(clock: list[float]) -> None:
    found = nodes(1, 1)
    left = TimeLeft({}, processes=1)
    assert left.estimate(found, {found[0].key: 0.0}) is None
    clock[0] += 5.0
    assert left.estimate(found, {found[0].key: 0.25}) == pytest.approx(15.0 + 20.0)


def test_a_resumed_step_is_not_thought_faster_than_it_is(clock: list[float]) -> None:
    found = nodes(1)
    left = TimeLeft({}, processes=1)
    left.estimate(found, {found[0].key: 0.5})
    clock[0] += 5.0
    assert left.estimate(found, {found[0].key: 0.6}) == pytest.approx(50 * 0.4)


def test_an_ended_step_teaches_its_name(clock: list[float]) -> None:
    found = nodes(1, 2)
    left = TimeLeft({}, processes=1)
    left.estimate(found, {found[0].key: 0.0})
    clock[0] += 8.0
    left.ended(found[0])
    assert left.estimate(found[1:], {}) == pytest.approx(8.0)
