"""Studies with given numbers: arms, seeds and rows, without any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.comparison.claims import Claim
from tasks.comparison.columns import columns
from tasks.comparison.comparison import Comparison
from tasks.comparison.gates import Gate
from tasks.comparison.plots import plots
from tasks.comparison.report import report
from tasks.comparison.results import ArmFacts, StudyFacts, TrialResult
from tasks.core.measures import Row

METRIC = "utility/accuracy"


def row(value: float | None, metric: str = METRIC, **fields: Any) -> Row:
    """A row on one test set; a missing value is undefined."""
    missing = {"status": "undefined", "reason": "no records"} if value is None else {}
    return Row.model_validate({"name": metric, "value": value, "direction": "higher", "conditions": {"data": "d1"}, **missing, **fields})


def trials(arms: Mapping[str, Sequence[float | None]], **fields: Any) -> list[TrialResult]:
    """One trial per arm and seed, with one number each."""
    numbers = [(arm, seed, value) for arm, values in arms.items() for seed, value in enumerate(values)]
    return [TrialResult(arm, seed, (row(value, **fields),), "finished", f"run-{arm}-{seed}") for arm, seed, value in numbers]


def failed(arm: str, seed: int) -> TrialResult:
    """A trial that gave no numbers."""
    return TrialResult(arm, seed, (), "failed", f"run-{arm}-{seed}")


def facts(arms: Sequence[str], claims: Sequence[Mapping[str, Any]] = (), gates: Sequence[Mapping[str, Any]] = (), **fields: Any) -> StudyFacts:
    """The facts of a study; an arm's grid point stands in brackets. The first arm is the baseline."""
    made = tuple(ArmFacts(name, name.split("[")[0], name.partition("[")[2].rstrip("]"), "none") for name in arms)
    said = tuple(Claim.model_validate({"id": f"c{index}", "says": "so it is", "metric": METRIC, **claim}) for index, claim in enumerate(claims))
    judged = tuple(Gate.model_validate({"metric": METRIC, **gate}) for gate in gates)
    given: dict[str, Any] = {"name": "toy", "question": "Is it so?", "baseline": made[0].base, "arms": made, "claims": said, "gates": judged, **fields}
    return StudyFacts(**given)


def reported(comparison: Comparison) -> str:
    """Its page, with the plots."""
    return report(comparison, plots(comparison, columns(comparison)))
