"""What a federated training is measured by besides the model: who took part, how the score moved, what it cost."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.measures import Direction, Measures, Row
from tasks.federated.continual_metrics import area_under_curve, average_performance, backward_transfer, forgetting
from tasks.federated.costs import MIB
from tasks.federated.evaluation import Evaluation
from tasks.federated.participation import coverage, effective_cohort_size, participation_gini, rounds_to_target
from tasks.federated.population import Population
from tasks.federated.rounds import Rounds
from tasks.federated.scoring import ALL, Score
from tasks.federated.timeline import Timeline
from tasks.utility.metric import UtilityMetric


@dataclass(frozen=True)
class Course:
    """The checks of a training, and what they score.

    Args:
        scores: every check, of all test records and of each window.
        metric: what is scored.
        conditions: what the numbers must share to stand in one column.
    """

    scores: list[Score]
    metric: UtilityMetric
    conditions: dict[str, str]

    def of(self, window: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rounds and scores of the checks of a window, undefined ones left out."""
        found = [score for score in self.scores if score.window == window and score.score == score.score]
        return np.array([score.round for score in found], dtype=np.int64), np.array([score.score for score in found])

    @property
    def ends(self) -> dict[str, float | None]:
        """What a mean of scores can be at least and at most."""
        return {"lowest": self.metric.lowest, "highest": self.metric.highest}


def federated_measures(
    rounds: Rounds, metric: UtilityMetric, evaluation: Evaluation, population: Population, partition: str, device: str, secret: bool
) -> Measures:
    """All numbers of one training, and its course. ``partition`` says how devices were made; where it is ``secret`` who was asked, nothing that follows
    from it is told.
    """
    on_devices = {"partition": partition} if evaluation.kind == "federated" else {}
    conditions = {"rounds": str(rounds.federation.rounds), "scored": metric.kind, "evaluation": evaluation.kind, **on_devices}
    course = Course(rounds.progress.scores, metric, conditions)
    asked = (*_participation(rounds, population, partition), *rounds.costs.rows())
    rows = (
        *(map(_withheld, asked) if secret else asked),
        *_course(course, evaluation, rounds, secret),
        *_windows(course, rounds),
        *_seconds(rounds, device),
    )
    checked, scores = course.of(ALL)
    return Measures(rows, courses={metric.metric("utility"): list(zip(checked.tolist(), scores.tolist(), strict=True))})


def _row(name: str, value: float, direction: Direction, conditions: dict[str, str], **rest: Any) -> Row:
    return Row(name=f"federated/{name}", value=value, direction=direction, conditions=conditions, **rest)


def _withheld(row: Row) -> Row:
    """The same without its number."""
    why = "it follows from who was asked, and epsilon rests on nobody knowing that"
    return row.model_copy(update={"value": None, "n": None, "status": "unsupported", "reason": why})


def _participation(rounds: Rounds, population: Population, partition: str) -> Iterator[Row]:
    """Shares of devices and of records asked at least once, how unevenly, and how many devices an update really rests on.

    They describe: none is better high or low.
    """
    asked = rounds.log.history.times_asked
    conditions = {"partition": partition, "rounds": str(rounds.federation.rounds)}
    devices, records = coverage(asked, population.activity)
    share: dict[str, Any] = {"conditions": conditions, "lowest": 0, "highest": 1}
    yield _row("coverage", devices, "none", n=len(asked), **share)
    yield _row("record_coverage", records, "none", n=int(population.activity.sum()), **share)
    yield _row("participation_gini", participation_gini(asked), "none", n=len(asked), **share)
    used = [entry.weight[entry.answered] for entry in rounds.log.rounds if entry.answered.any()]
    if used:
        yield _row("effective_cohort_size", float(np.mean([effective_cohort_size(weights) for weights in used])), "none", conditions, lowest=0)
    limit = getattr(rounds.federation.correction, "max_weight", None)
    if limit is not None and used:
        capped = np.concatenate(used) >= limit / rounds.federation.cohort_size * (1 - 1e-12)
        yield _row("capped_weights", float(capped.mean()), "none", n=len(capped), **share)


def erased_rows(timeline: Timeline, population: Population, seed: int) -> tuple[Row, ...]:
    """How many devices had left for good by the end, where they may."""
    if not timeline.erases:
        return ()
    gone = timeline.erased(len(population.names), timeline.window_count - 1, seed)
    return (_row("erased_devices", float(gone.sum()), "none", {"windows": str(timeline.window_count)}, n=len(gone), lowest=0),)


def _course(course: Course, evaluation: Evaluation, rounds: Rounds, secret: bool) -> Iterator[Row]:
    """The mean score over rounds, and the rounds and uploads until the target. A target that was not reached has no number, and says so."""
    checked, scores = course.of(ALL)
    if len(checked):
        value = area_under_curve(checked, scores)
        yield _row("area_under_curve", value, course.metric.direction, course.conditions, n=len(checked), **course.ends)
    if evaluation.target is None:
        return
    conditions = {**course.conditions, "target": f"{evaluation.target:g}", "every": str(evaluation.every)}
    reached = rounds_to_target(checked, scores, evaluation.target, course.metric.direction)
    reason = f"not reached in {rounds.federation.rounds} rounds"
    numbers = {"rounds_to_target": reached, "uploaded_mib_to_target": None if reached is None else _uploaded(rounds, reached)}
    for name, number in numbers.items():
        if number is None:
            yield Row(name=f"federated/{name}", value=None, status="undefined", reason=reason, direction="lower", conditions=conditions)
        else:
            row = _row(name, float(number), "lower", conditions, lowest=0)
            yield _withheld(row) if secret and name.startswith("uploaded") else row


def _uploaded(rounds: Rounds, until: int) -> float:
    """MiB of updates in the first rounds, with what secure aggregation adds."""
    updates = sum(int(entry.answered.sum()) for entry in rounds.log.rounds[:until]) * rounds.costs.bytes_per_upload
    return (updates + sum(rounds.costs.secured[:until])) / MIB


def _windows(course: Course, rounds: Rounds) -> Iterator[Row]:
    """What is left of earlier windows, from R[t, j]: the score on window j's test records at the end of window t."""
    timeline, total = rounds.federation.timeline, rounds.federation.rounds
    if not timeline.windowed:
        return
    count = timeline.window_count
    last = [max(done for done in range(1, total + 1) if timeline.window_of_round(done - 1, total) == window) for window in range(count)]
    at = {(score.round, score.window): score.score for score in course.scores}
    matrix = np.array([[at.get((end, window), np.nan) for window in range(count)] for end in last])
    conditions = {**course.conditions, "windows": str(count)}
    way = course.metric.direction
    directions: dict[str, Direction] = {"average_performance": way, "forgetting": "lower", "backward_transfer": "higher"}
    if np.isnan(matrix).any():
        reason = "a window has no test records, or they have no score"
        for name, direction in directions.items():
            yield Row(name=f"federated/{name}", value=None, status="undefined", reason=reason, direction=direction, conditions=conditions)
        return
    yield _row("average_performance", average_performance(matrix), way, conditions, n=count, **course.ends)
    yield _row("forgetting", forgetting(matrix, way), "lower", conditions, n=count)
    yield _row("backward_transfer", backward_transfer(matrix, way), "higher", conditions, n=count)


def _seconds(rounds: Rounds, device: str) -> Iterator[Row]:
    """What the training cost on this machine."""
    conditions = {"device": device.split(":")[0], "machine": platform.machine()}
    seconds = max(rounds.progress.seconds, 1e-9)
    numbers = {
        "train_seconds": seconds,
        "round_seconds": seconds / max(1, rounds.progress.round),
        "peak_memory_mib": rounds.progress.peak_memory_mib,
    }
    for name, value in numbers.items():
        yield Row(name=f"cost/{name}", value=value, direction="lower", lowest=0, conditions=conditions)
