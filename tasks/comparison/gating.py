"""Gates judged: one result per gate and arm. What could not be measured does not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.comparison.comparison import GateResult, Value
from tasks.comparison.gates import Gate
from tasks.comparison.numbers import number
from tasks.comparison.results import ArmFacts, StudyFacts
from tasks.comparison.table import Table, mark


def gate_results(facts: StudyFacts, table: Table, arms: Mapping[str, Mapping[str, Value]]) -> Iterator[GateResult]:
    """Every gate on every arm that it names, or on all."""
    for gate in facts.gates:
        named = [arm for name in gate.arms for arm in facts.named(name)] if gate.arms is not None else list(facts.arms)
        for arm in named:
            yield _judge(gate, arm, table, arms.get(arm.name, {}).get(gate.metric))


def _judge(gate: Gate, arm: ArmFacts, table: Table, value: Value | None) -> GateResult:
    word = "at least" if gate.at_least is not None else "at most"
    bound = gate.at_least if gate.at_least is not None else gate.at_most
    assert bound is not None  # a champion is compared with by the kind of study that has one
    text = f"{word} {bound:g}"
    common = {"metric": gate.metric, "arm": arm.name, "of": gate.of, "bound": text}
    found, problem = _number(gate, arm, table, value)
    if found is None:
        return GateResult(value=None, passed=False, sentence=f"Failed: {gate.metric} of {arm.name} is not measured ({problem}).", **common)
    passed = found >= bound if gate.at_least is not None else found <= bound
    marked = mark(table.rows(arm.name, gate.metric).values())
    sentence = f"{'Passed' if passed else 'Failed'}: {_words(gate)} {gate.metric} of {arm.name} is {number(found)}, {text} is asked."
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


def _words(gate: Gate) -> str:
    return {"worst": "the worst seed's", "mean": "the mean", "lower": "the lower bound of", "upper": "the upper bound of"}[gate.of]
