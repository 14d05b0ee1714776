"""Claims answered: tested over seeds with Holm's correction from five seeds on, described below that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.comparison.claims import Claim
from tasks.comparison.comparison import Answer, Verdict
from tasks.comparison.numbers import number, p_value, signed
from tasks.comparison.results import ArmFacts, StudyFacts
from tasks.comparison.statistics import ALPHA, FEWEST_SEEDS, Summary, p_above, p_below, p_within, summarise
from tasks.comparison.table import Table
from tasks.core.multiplicity import holm


@dataclass(frozen=True)
class _Case:
    """A claim at one grid point, with what the trials say. ``good`` is the summary turned so that higher is better, ``lower`` whether it was."""

    claim: Claim
    arms: tuple[str, ...]
    found: Summary | None
    good: Summary | None
    problem: str | None
    p: float | None
    mark: str = ""
    lower: bool = False


def answers(facts: StudyFacts, table: Table) -> list[Answer]:
    """Every claim at every grid point that it names."""
    cases = [case for claim in facts.claims for case in _cases(claim, facts, table)]
    adjusted = iter(holm([case.p for case in cases if case.p is not None]))
    return [_answer(case, next(adjusted) if case.p is not None else None) for case in cases]


def _cases(claim: Claim, facts: StudyFacts, table: Table) -> Iterator[_Case]:
    """An arm as written stands for each of its grid points, beside the other arms at the same point."""
    named = [facts.named(name) for name in claim.arms]
    fixed = [arms[0].point for name, arms in zip(claim.arms, named, strict=True) if arms and arms[0].point and arms[0].name == name]
    points = fixed or [arm.point for arms in named for arm in arms]
    found: set[tuple[str, ...]] = set()
    for point in dict.fromkeys(points):
        arms = [_at(choices, name, point) for name, choices in zip(claim.arms, named, strict=True)]
        names = tuple(arm.name for arm in arms if arm is not None)
        if len(names) == len(claim.arms) and names not in found:
            found.add(names)
            yield _case(claim, names, table)


def _at(arms: list[ArmFacts], name: str, point: str) -> ArmFacts | None:
    """The arm that a name stands for at a grid point; one that is named with its point is itself."""
    return next((arm for arm in arms if arm.name == name or arm.point == point), None)


def _case(claim: Claim, arms: tuple[str, ...], table: Table) -> _Case:
    metric = claim.metric
    combined = table.combine(arms, claim.signs, metric)
    if combined.problem is not None:
        return _Case(claim, arms, None, None, combined.problem.reason, None)
    direction = table.direction(metric)
    if direction == "none" and claim.form in ("better", "not_worse_by"):
        return _Case(claim, arms, None, None, f"{metric} has no direction in which it is better", None)
    found = summarise(combined.values)
    good = summarise([-value for value in combined.values]) if direction == "lower" else found
    tested = found.n >= FEWEST_SEEDS and found.spread > 0
    return _Case(claim, arms, found, good, None, _p(claim, found, good) if tested else None, combined.mark, direction == "lower")


def _p(claim: Claim, found: Summary, good: Summary) -> float:
    match claim.form:
        case "better":
            return p_above(good, 0.0)
        case "not_worse_by":
            return p_above(good, -claim.margin)
        case "equivalent_within":
            return p_within(found, claim.margin)
        case "at_least":
            return p_above(found, claim.margin)
        case "at_most":
            return p_below(found, claim.margin)


def _holds_at(claim: Claim, value: float, good: float) -> bool:
    """Whether a true value would make the claim true."""
    match claim.form:
        case "better":
            return good > 0
        case "not_worse_by":
            return good > -claim.margin
        case "equivalent_within":
            return abs(value) < claim.margin
        case "at_least":
            return value >= claim.margin
        case "at_most":
            return value <= claim.margin


def _verdict(case: _Case, p_holm: float | None) -> Verdict:
    found, good = case.found, case.good
    if found is None or good is None:
        return "unanswered"
    if found.n < FEWEST_SEEDS:
        return "descriptive"
    if p_holm is None:  # every seed gives the same number: nothing is left to chance
        return "holds" if _holds_at(case.claim, found.mean, good.mean) else "contradicted"
    if p_holm < ALPHA:
        return "holds"
    return "contradicted" if _all_outside(case.claim, found, good) else "not shown"


def _all_outside(claim: Claim, found: Summary, good: Summary) -> bool:
    """Whether no value of the 95% interval would make the claim true."""
    assert found.low is not None and found.high is not None and good.high is not None and good.low is not None
    if claim.form == "equivalent_within":
        return found.low >= claim.margin or found.high <= -claim.margin
    ends = ((found.low, good.low), (found.high, good.high), (found.mean, good.mean))
    return not any(_holds_at(claim, value, turned) for value, turned in ends)


def _answer(case: _Case, p_holm: float | None) -> Answer:
    verdict = _verdict(case, p_holm)
    claim, found = case.claim, case.found
    common = {"id": claim.id, "says": claim.says, "metric": claim.metric, "arms": case.arms, "verdict": verdict}
    if found is None:
        return Answer(sentence=f"Unanswered: {case.problem}.", **common)
    sentence = _sentence(case, verdict, found, p_holm)
    return Answer(value=found.mean, low=found.low, high=found.high, n=found.n, p=case.p, p_holm=p_holm, sentence=sentence, **common)


_OPENINGS: dict[Verdict, str] = {
    "holds": "Holds",
    "contradicted": "Contradicted",
    "not shown": "Not shown, and not contradicted",
    "descriptive": "Descriptive only",
}


def _sentence(case: _Case, verdict: Verdict, found: Summary, p_holm: float | None) -> str:
    what = _what(case)
    seeds = "1 seed" if found.n == 1 else f"{found.n} seeds"
    shown = number(found.mean) if len(case.arms) == 1 else signed(found.mean)
    interval = f", 95% interval {number(found.low)} to {number(found.high)}" if found.low is not None and found.high is not None and found.spread > 0 else ""
    if verdict == "descriptive":
        basis = f"over {seeds}; a test needs {FEWEST_SEEDS}"
    elif p_holm is None:
        basis = f"the same for all {seeds}, so nothing is left to test"
    else:
        basis = f"{'over' if len(case.arms) == 1 else 'paired over'} {seeds}, p {p_value(p_holm)} after Holm's correction"
    mark = f" {case.mark[0].upper()}{case.mark[1:]}." if case.mark else ""
    return f"{_OPENINGS[verdict]}: {what} is {shown}{interval}{_claimed(case)} ({basis}).{mark}"


def _claimed(case: _Case) -> str:
    """The bound that is claimed; and that less is better, which nobody expects of a number."""
    claim = case.claim
    words = {
        "better": "",
        "not_worse_by": f"worse by less than {claim.margin:g} is claimed",
        "equivalent_within": f"less than {claim.margin:g} either way is claimed",
        "at_least": f"at least {claim.margin:g} is claimed",
        "at_most": f"at most {claim.margin:g} is claimed",
    }[claim.form]
    turned = "lower is better" if case.lower and claim.form in ("better", "not_worse_by") else ""
    said = ", ".join(part for part in (turned, words) if part)
    return f"; {said}" if said else ""


def _what(case: _Case) -> str:
    arms, metric = case.arms, case.claim.metric
    match len(arms):
        case 1:
            return f"{metric} of {arms[0]}"
        case 2:
            return f"{metric} of {arms[0]} less that of {arms[1]}"
        case _:
            return f"{metric} of ({arms[0]} less {arms[1]}) less ({arms[2]} less {arms[3]})"
