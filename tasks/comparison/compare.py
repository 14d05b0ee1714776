"""From the trials of a study to its comparison: arms, differences, claims and gates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.comparison.answering import answers
from tasks.comparison.comparison import Comparison, Difference, Trial, Value
from tasks.comparison.conditions import unlike
from tasks.comparison.gating import gate_results
from tasks.comparison.pairing import paired_differences
from tasks.comparison.reasons import merged
from tasks.comparison.results import StudyFacts, TrialResult
from tasks.comparison.scores import correlations
from tasks.comparison.statistics import FEWEST_SEEDS, Summary, summarise
from tasks.comparison.table import Table
from tasks.core.measures import Row, Status


def compare(facts: StudyFacts, trials: Sequence[TrialResult]) -> Comparison:
    """The comparison of a study's trials. A trial that failed counts as one that has no numbers."""
    table = Table(trials)
    paired = tuple(paired_differences(facts, trials))
    arms = {arm.name: {metric: arm_value(table.rows(arm.name, metric)) for metric in table.metrics(arm.name)} for arm in facts.arms}
    return Comparison(
        study=facts.name,
        question=facts.question,
        baseline=facts.baseline,
        arms=arms,
        differences=tuple(_differences(facts, table)),
        claims=tuple(answers(facts, table)),
        gates=tuple(gate_results(facts, table, arms, paired)),
        guarantees={arm.name: arm.guarantee for arm in facts.arms},
        study_privacy=facts.study_privacy,
        lifetimes=facts.lifetimes,
        labels=facts.labels,
        trials=tuple(_trial(trial) for trial in trials),
        about=dict(facts.about),
        correlations=correlations(facts, table),
        paired=paired,
    )


def arm_value(rows: Mapping[int, Row]) -> Value:
    """A metric of an arm over its seeds: of one trial its own number and interval, of more the mean and a t interval over runs."""
    first = next(iter(rows.values()))
    had = {seed: row for seed, row in rows.items() if row.value is not None}
    if not had:
        return Value(value=None, n=0, status=first.status, reason=first.reason, direction=first.direction, conditions=first.conditions)
    if unlike([row.conditions for row in had.values()]):
        problem = "its seeds were measured under unlike conditions"
        return Value(value=None, n=len(had), status="unsupported", reason=problem, direction=first.direction)
    found = next(iter(had.values()))
    status: Status = next((row.status for row in had.values() if row.status != "ok"), "ok")
    reason = _reason(rows, had, status)
    records = found.n if len({row.n for row in had.values()}) == 1 else None
    common: dict[str, Any] = {"status": status, "reason": reason, "direction": found.direction, "conditions": found.conditions, "records": records}
    if len(rows) == 1:
        return Value(value=found.value, low=found.low, high=found.high, n=found.n, interval=found.interval, **common)
    summary = _within_range(summarise([row.value for row in had.values() if row.value is not None]), found)
    return Value(value=summary.mean, low=summary.low, high=summary.high, n=summary.n, interval=None if summary.low is None else "runs", **common)


def _reason(rows: Mapping[int, Row], had: Mapping[int, Row], status: Status) -> str | None:
    """What must be known of an arm's number: why its seeds are doubted, how many of them, and how many have no number."""
    doubted = [row for row in had.values() if row.status == status]
    said = merged(row.reason for row in doubted if row.reason)
    if said and len(doubted) < len(had):
        said.append(f"so in {len(doubted)} of {len(had)} seeds")
    if len(had) < len(rows):
        said.append(f"{len(had)} of {len(rows)} seeds have it")
    return "; ".join(said) or None


def _within_range(summary: Summary, row: Row) -> Summary:
    """The interval cut to what the metric can be: no value outside is possible, so none is covered less often."""
    if summary.low is None or summary.high is None:
        return summary
    low = summary.low if row.lowest is None else max(summary.low, row.lowest)
    high = summary.high if row.highest is None else min(summary.high, row.highest)
    return Summary(summary.mean, low, high, summary.n, summary.spread)


def _differences(facts: StudyFacts, table: Table) -> Iterator[Difference]:
    for arm in facts.arms:
        baseline = facts.baseline_of(arm)
        if baseline is None:
            continue
        for metric in table.metrics(arm.name):
            if metric in table.metrics(baseline.name):
                yield _difference(table, arm.name, baseline.name, metric)


def _difference(table: Table, arm: str, versus: str, metric: str) -> Difference:
    combined = table.combine((arm, versus), (1, -1), metric)
    common: dict[str, Any] = {"arm": arm, "versus": versus, "metric": metric, "direction": table.direction(metric)}
    if combined.problem is not None:
        return Difference(value=None, n=0, status=combined.problem.status, reason=combined.problem.reason, **common)
    found = summarise(combined.values)
    if found.low is None:
        reason = "; ".join(part for part in ("one seed: no interval", combined.mark) if part)
        return Difference(value=found.mean, n=found.n, status="descriptive", reason=reason, **common)
    common["reason"] = combined.mark or None
    tested = found.n >= FEWEST_SEEDS
    return Difference(value=found.mean, low=found.low, high=found.high, n=found.n, interval="runs", status="ok" if tested else "descriptive", **common)


def _trial(trial: TrialResult) -> Trial:
    metrics = {row.name: row.value for row in trial.rows if row.value is not None}
    return Trial(arm=trial.arm, seed=trial.seed, status=trial.status, mlflow_run=trial.mlflow_run, metrics=metrics, courses=dict(trial.courses))
