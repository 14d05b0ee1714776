"""The correlation block of a study, and what is found by it: do metrics of bias agree over the models?"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.core.measures import Direction, Status

Side = Literal["intrinsic", "extrinsic"]
Method = Literal["pearson", "spearman", "kendall"]
Alignment = Literal["original", "aligned"]
Verdict = Literal["correlated", "not correlated", "cannot tell", "no answer"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Correlation(_Part):
    """Whether metrics agree over the models of a study."""

    between: tuple[Side, Side] | Literal["all"] = Field(
        default=("intrinsic", "extrinsic"), description="Pairs of metrics of the two sides, or of all metrics with each other."
    )
    methods: tuple[Method, ...] = Field(
        default=("pearson", "spearman", "kendall"), min_length=1, description="Which coefficients; the first is drawn and put into words."
    )
    alignment: tuple[Alignment, ...] = Field(default=("original",), min_length=1, description="Metrics as written, with their `aligned` changes, or both.")
    margin: float = Field(default=0.3, gt=0, lt=1, description="'No correlation' is said only where the whole interval is closer to zero than this.")
    adjust: Literal["bh", "holm"] = Field(default="bh", description="Correction for many tests: Benjamini-Hochberg, or Holm.")
    resamples: int = Field(default=9999, ge=9999, le=1_000_000, description="Permutations, where they are too many to go through, and bootstrap draws.")

    @model_validator(mode="after")
    def _once(self) -> Correlation:
        for name in ("methods", "alignment"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: each may be named once (got {', '.join(given)})")
        return self


class Score(_Part):
    """One line of the long table: a metric of one model with one seed. ``pair`` is the name that a metric and its aligned form share.

    ``value`` is as it was measured; None, with a ``reason``, where there is none or where it may not be compared.
    """

    model: str
    family: str
    metric: str
    pair: str
    side: Side
    variant: Alignment = "original"
    notion: str = ""
    groups: str = ""
    seed: int = 0
    value: float | None
    direction: Direction = "lower"
    reason: str | None = None


class Without(_Part):
    """The coefficient over the models of all families but one; None where it is undefined without them."""

    family: str
    n: int
    value: float | None


class Cell(_Part):
    """One coefficient between two metrics over the models that have both. Larger values of either metric mean more bias.

    Args:
        first, second: the names of the metrics as pairs; with sides, the first is intrinsic and the second extrinsic.
        first_metric, second_metric: the metrics that were read, aligned where there is an aligned form.
        n, missing: models that have both, and those that lack one.
        low, high: 95% interval over models by Fisher's z (Pearson), Bonett and Wright 2000 (Spearman), Fieller et al. 1957 (Kendall).
        bootstrap_low, bootstrap_high: 95% BCa bootstrap interval over models (Efron 1987), of Pearson's alone.
        p, exact, p_adjusted: two-sided permutation p, whether it went through every permutation, and p corrected within the method.
        smallest_significant: the smallest size that this n can tell from 0 at two-sided 0.05; detectable: the true size found in 80% of studies.
        without: the coefficient without each family; rests_on: families without which less than half of it is left.
        exploratory: too few models to confirm anything.
    """

    first: str
    second: str
    first_metric: str
    second_metric: str
    first_groups: str = ""
    second_groups: str = ""
    alignment: Alignment
    method: Method
    n: int
    missing: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    p: float | None = None
    exact: bool = False
    p_adjusted: float | None = None
    smallest_significant: float | None = None
    detectable: float | None = None
    without: tuple[Without, ...] = ()
    rests_on: tuple[str, ...] = ()
    status: Status = "ok"
    reason: str | None = None
    exploratory: bool = False
    verdict: Verdict = "no answer"
    sentence: str = ""

    @property
    def covers_zero(self) -> bool:
        """Whether its interval covers 0."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


class Change(_Part):
    """What alignment changes in a coefficient, over the models that have both forms: aligned less original.

    The interval is a percentile bootstrap over models, paired: both coefficients of a resample are over the same models. With 95% all such intervals of a
    study hold their truth (Bonferroni).
    """

    first: str
    second: str
    method: Method
    n: int
    original: float
    aligned: float
    value: float
    low: float | None = None
    high: float | None = None
    sentence: str


class Correlations(_Part):
    """What the models of a study say of the agreement of metrics."""

    cells: tuple[Cell, ...]
    changes: tuple[Change, ...] = ()
    scores: tuple[Score, ...]
    n_models: int
    families: dict[str, int] = Field(description="Models by family.")
    methods: tuple[Method, ...]
    alignment: tuple[Alignment, ...]
    adjust: Literal["bh", "holm"]
    margin: float
    power: str = Field(description="The power line: what this many models can show.")
    concluded: tuple[str, ...]
    not_concluded: tuple[str, ...]

    def leading(self) -> list[Cell]:
        """The cells of the first method, which are drawn and put into words."""
        return [cell for cell in self.cells if cell.method == self.methods[0]]
