"""The comparison: what a study found, as people and scripts read it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.comparison.correlation import Correlations
from tasks.comparison.history import NightLine
from tasks.core.measures import Direction, Status

Verdict = Literal["holds", "contradicted", "not shown", "descriptive", "unanswered"]

EPSILON, DELTA = "privacy/epsilon", "privacy/delta"
NOISE_MULTIPLIER, AUC_CEILING = "privacy/noise_multiplier", "privacy/auc_ceiling"
MICRO_BATCH = "privacy/epsilon_micro_batch"
EVALUATION = "privacy/epsilon_evaluation"
SPENT = (EPSILON, MICRO_BATCH, EVALUATION, DELTA, NOISE_MULTIPLIER, AUC_CEILING)
"""What a private training spends: exact and known before it trains, so that no arm does well or badly by it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(_Part):
    """A metric of an arm. ``interval`` is ``runs`` (t over seeds, ``n`` seeds) or ``items`` (within the one trial, ``n`` items).

    ``records`` is how many records each seed's number is over; None where the seeds differ or none was said.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    records: int | None = None
    interval: Literal["items", "runs"] | None = None
    status: Status = "ok"
    reason: str | None = None
    direction: Direction = "none"
    conditions: dict[str, str] = {}


class Difference(_Part):
    """An arm less the baseline at the same grid point, paired by seed. Below five seeds it is ``descriptive``."""

    arm: str
    versus: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    interval: Literal["runs"] | None = None
    status: Literal["ok", "descriptive", "unlike", "unmeasured"]
    direction: Direction = "none"
    reason: str | None = None


class Answer(_Part):
    """What the trials say of a claim at one grid point. ``p`` is one-sided; ``p_holm`` is corrected over all claims of the study."""

    id: str
    says: str
    metric: str
    arms: tuple[str, ...]
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p: float | None = None
    p_holm: float | None = None
    sentence: str


class GateResult(_Part):
    """Whether a gate holds for one arm. ``limit`` is the number that its bound is, where it is one of the metric itself."""

    metric: str
    arm: str
    of: str
    bound: str
    limit: float | None = None
    value: float | None
    passed: bool
    sentence: str


class PairedDifference(_Part):
    """An arm less the baseline in the mean of one column of items, over the items that both answered, with the seeds that both have.

    The interval is a 95% percentile bootstrap over ``clusters`` of items, of these very models; other seeds would add to it. ``p`` is two-sided, of the
    same bootstrap; ``p_adjusted`` is corrected (Benjamini-Hochberg) over all such differences of the study; ``detectable`` is the smallest true
    difference that 80% of as many items would show, by the bootstrap's standard error.
    """

    arm: str
    versus: str
    metric: str
    column: str
    n: int
    clusters: int
    seeds: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    detectable: float | None = None
    status: Status = "ok"
    reason: str | None = None


class StudyPrivacy(_Part):
    """What all private trainings of a study spend together. ``epsilon`` is None where they do not compose; ``uncovered`` ones have no privacy."""

    epsilon: float | None
    delta: float | None
    trials: int
    uncovered: int
    sentence: str


class Lifetime(_Part):
    """What the ledger holds of a population that a study trained on. ``epsilon`` is None where uncovered trainings leave no guarantee."""

    population: str
    epsilon: float | None
    delta: float | None
    trainings: int
    uncovered: int
    sentence: str


class Trial(_Part):
    """One trial, for plots and tables of single runs. ``courses`` are scores while it trained: (round, value) by metric."""

    arm: str
    seed: int
    status: Literal["finished", "failed"]
    mlflow_run: str
    metrics: dict[str, float]
    courses: dict[str, tuple[tuple[float, float], ...]] = {}


class Comparison(_Part):
    """Everything a study found. Serialised, it is what ``assay run --json`` and ``assay compare --json`` print."""

    study: str
    question: str
    baseline: str
    arms: dict[str, dict[str, Value]]
    differences: tuple[Difference, ...]
    claims: tuple[Answer, ...]
    gates: tuple[GateResult, ...]
    guarantees: dict[str, str]
    study_privacy: StudyPrivacy | None = None
    lifetimes: tuple[Lifetime, ...] = ()
    labels: tuple[str, ...]
    trials: tuple[Trial, ...]
    about: dict[str, str] = Field(description="Conditions of every number: versions, commit, data.")
    correlations: Correlations | None = None
    paired: tuple[PairedDifference, ...] = ()
    nights: tuple[NightLine, ...] = ()

    def is_baseline(self, arm: str) -> bool:
        """Whether an arm is the baseline, at any grid point."""
        return arm == self.baseline or arm.startswith(f"{self.baseline}[")

    def metrics(self) -> list[str]:
        """Every metric that some arm has, utility first, costs last; what was spent on privacy before what attacks found."""
        names = dict.fromkeys(metric for values in self.arms.values() for metric in values)
        order = ("utility", "fairness", "privacy", "federated", "cost")
        place = {prefix: index for index, prefix in enumerate(order)}
        return sorted(names, key=lambda name: (place.get(name.split("/")[0], len(order)), SPENT.index(name) if name in SPENT else len(SPENT)))
