"""Gates judged: one result per gate and arm. What could not be measured does not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.comparison.comparison import GateResult, PairedDifference, Value
from tasks.comparison.gates import Gate
from tasks.comparison.numbers import number, signed
from tasks.comparison.results import ArmFacts, StudyFacts
from tasks.comparison.table import Table, mark
from tasks.core.measures import Row

SAME = 1e-9
"""How near the mean of a column of items must be to a metric's own number to be that number."""


def gate_results(facts: StudyFacts, table: Table, arms: Mapping[str, Mapping[str, Value]], paired: Sequence[PairedDifference] = ()) -> Iterator[GateResult]:
    """Every gate on every arm that it names, or on all. ``paired`` are differences over the same items, for gates that compare with a champion."""
    for gate in facts.gates:
        named = [arm for name in gate.arms for arm in facts.named(name)] if gate.arms is not None else list(facts.arms)
        for arm in named:
            if gate.not_worse_than is None:
                yield _judge(gate, arm, table, arms.get(arm.name, {}).get(gate.metric))
            else:
                yield _compare(gate, arm, facts, table, arms, paired)


def _judge(gate: Gate, arm: ArmFacts, table: Table, value: Value | None) -> GateResult:
    word = "at least" if gate.at_least is not None else "at most"
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    text = f"{word} {bound:g}"
    common: dict[str, Any] = {"metric": gate.metric, "arm": arm.name, "of": gate.of, "bound": text, "limit": bound}
    found, problem = _number(gate, arm, table, value)
    if found is None or bound is None:
        return GateResult(value=None, passed=False, sentence=f"Failed: {gate.metric} of {arm.name} is not measured ({problem}).", **common)
    passed = found >= bound if gate.at_least is not None else found <= bound
    marked = mark(table.rows(arm.name, gate.metric).values())
    sentence = (
        f"{'Passed' if passed else 'Failed'}: {_words(gate, table.rows(arm.name, gate.metric))}{gate.metric} of {arm.name} is {number(found)}, {text} is asked."
    )
    sentence += f" {marked[0].upper()}{marked[1:]}." if marked else ""
    return GateResult(value=found, passed=passed, sentence=sentence, **common)


def _number(gate: Gate, arm: ArmFacts, table: Table, value: Value | None) -> tuple[float | None, str]:
    """The number that a gate looks at, or why there is none. A seed without a number leaves none: it could be the worst."""
    rows = table.rows(arm.name, gate.metric)
    if value is None or not rows:
        return None, "no trial records it"
    for seed, row in sorted(rows.items()):
        if row.value is None:
            return None, f"seed {seed}: {row.reason or row.status}"
    if value.value is None:
        return None, value.reason or value.status
    if gate.of == "worst":
        values = [row.value for row in rows.values() if row.value is not None]
        return (min(values) if gate.at_least is not None else max(values)), ""
    if gate.of == "mean":
        return value.value, ""
    end = value.low if gate.of == "lower" else value.high
    return end, "its number has no interval"


def _words(gate: Gate, rows: Mapping[int, Row]) -> str:
    if len(rows) == 1 and gate.of in ("worst", "mean"):
        return ""
    return {"worst": "the worst seed's ", "mean": "the mean ", "lower": "the lower bound of ", "upper": "the upper bound of "}[gate.of]


def _compare(
    gate: Gate, arm: ArmFacts, facts: StudyFacts, table: Table, arms: Mapping[str, Mapping[str, Value]], paired: Sequence[PairedDifference]
) -> GateResult:
    """Against the champion, in the metric's own direction: what was lost, by the difference or by an end of its interval over the same items."""
    allowed = gate.by_more_than or 0.0
    text = f"a loss of at most {allowed:g} against the champion"
    common: dict[str, Any] = {"metric": gate.metric, "arm": arm.name, "of": gate.of, "bound": text}
    champion = facts.champion
    if champion is None or champion.absent:
        why = champion.absent if champion is not None else "the study has no champion"
        return GateResult(value=None, passed=True, sentence=f"Passed: {gate.metric} of {arm.name} is compared with nothing: {why}.", **common)
    combined, direction = table.combine((arm.name, champion.arm), (1, -1), gate.metric), table.direction(gate.metric)
    if combined.problem is not None or direction == "none":
        why = combined.problem.reason if combined.problem is not None else "no direction of it is better"
        return GateResult(value=None, passed=False, sentence=f"Failed: {gate.metric} of {arm.name} cannot be compared with the champion's ({why}).", **common)
    mean = sum(combined.values) / len(combined.values)
    interval = _interval(gate.metric, arm.name, champion.arm, mean, paired)
    gain = _gain(gate, 1 if direction == "higher" else -1, combined.values, interval)
    values = [arms[name][gate.metric].value or 0.0 for name in (arm.name, champion.arm)]
    over = "" if interval is None else f" [{number(interval[0])}, {number(interval[1])}] over {interval[2]} shared items"
    said = f"{gate.metric} of {arm.name} is {number(values[0])}, of the champion {number(values[1])}: a difference of {signed(mean)}{over}; {text} is asked"
    said += f" of its {gate.of} bound" if gate.of in ("lower", "upper") else ""
    if gain is None:
        return GateResult(value=None, passed=False, sentence=f"Failed: {said}, and it has no interval.", **common)
    passed = gain >= -allowed
    return GateResult(value=gain, passed=passed, sentence=f"{'Passed' if passed else 'Failed'}: {said}.", **common)


def _gain(gate: Gate, sign: int, differences: Sequence[float], interval: tuple[float, float, int] | None) -> float | None:
    """The number that the gate looks at, positive where the arm is better; None where it asks for an interval that there is not."""
    gains = [sign * value for value in differences]
    if gate.of in ("worst", "mean"):
        return min(gains) if gate.of == "worst" else sum(gains) / len(gains)
    if interval is None:
        return None
    ends = [sign * end for end in interval[:2]]
    return min(ends) if gate.of == "lower" else max(ends)


def _interval(metric: str, arm: str, versus: str, difference: float, paired: Sequence[PairedDifference]) -> tuple[float, float, int] | None:
    """The interval of a metric that is the mean of a column of items, with their number; None for another metric."""
    for found in paired:
        mine = found.arm == arm and found.versus == versus and (metric == found.metric or metric.startswith(f"{found.metric}/"))
        if mine and found.value is not None and found.low is not None and found.high is not None and abs(found.value - difference) < SAME:
            return found.low, found.high, found.n
    return None
