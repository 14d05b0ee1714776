"""Any score of a classifier by group, and any disparity between the groups: two tables, freely combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.measures import Direction, Measures, Row
from tasks.fairness._judged import ClassifierMetric, Judged, sizes, slugs
from tasks.fairness.disparities import DEFINED, Comparison, Disparity, disparity
from tasks.fairness.metric import Fidelity, reasons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Score = Literal["accuracy", "error_rate", "true_positive_rate", "false_positive_rate", "positive_rate", "mean_score"]
LARGER_IS_WORSE = ("error_rate", "false_positive_rate")
PERMUTATIONS = 400


@dataclass(frozen=True)
class Counted:
    """A score of all groups as sums: of each record (N, 4G), of shuffled groups (B, 4G), and what stands beside each of its disparities."""

    score: Score
    sums: Floats
    shuffled: Floats
    clusters: NDArray[Any]
    n: int
    conditions: dict[str, str]
    why: str | None


class GroupDisparities(ClassifierMetric):
    """Scores by group and their disparities, each ``<score>/<comparison>/<disparity>`` (taxonomy of Czarnowska et al., TACL 2021).

    ``across`` compares the extremes of all groups, ``pairwise`` is the mean over pairs, ``background`` the mean over groups against everything outside
    each. A difference is absolute, so chance alone makes one: beside each number stands what shuffled groups of these sizes give, on
    average and at most in 95 of 100 shuffles, and with it the smallest disparity that these records can show. Intervals of absolute differences
    do not reach 0; the shuffles, not they, tell whether there is one.
    """

    notion: ClassVar[str] = "equality of scores"
    headline: ClassVar[str] = ""

    kind: Literal["group-disparities"]
    scores: tuple[Score, ...] = Field(default=("accuracy",), min_length=1, description="What is computed for each group.")
    comparisons: tuple[Comparison, ...] = Field(default=("across",), min_length=1, description="across all groups, pairwise, or against the background.")
    disparities: tuple[Disparity, ...] = Field(default=("difference", "ratio"), min_length=1, description="How two or more scores are compared.")
    groups: tuple[str, ...] = Field(default=(), description="Only these groups; none: all.")
    minimum: int = Field(default=30, ge=1, description="Records that a score of a group needs.")

    @model_validator(mode="after")
    def _some(self) -> GroupDisparities:
        if not self._pairs:
            raise ValueError(f"{' and '.join(self.disparities)} is told across groups alone: add 'across' to comparisons, or difference to disparities")
        return self

    @property
    def fidelity(self) -> Fidelity:
        """As published."""
        return "published"

    @property
    def any_label(self) -> bool:
        """Accuracy and error rate are of right answers, whichever label is."""
        return set(self.scores) <= {"accuracy", "error_rate"}

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """The rows, and per record the answer."""
        found = self.judged(target, needed, report)
        if isinstance(found, str):
            return Measures(self.without("unsupported", found, names=tuple(name for score in self.scores for name in self._names(score))))
        return self.scored(found, seed)

    def _names(self, score: Score) -> tuple[str, ...]:
        return tuple(f"{score}/{comparison}/{name}" for comparison, name in self._pairs)

    @property
    def _pairs(self) -> list[tuple[Comparison, Disparity]]:
        return [(comparison, name) for comparison in self.comparisons for name in self.disparities if name in DEFINED[comparison]]

    def scored(self, found: Judged, seed: int) -> Measures:
        """The rows of records and answers."""
        rows = [row for score in self.scores for row in self._score(score, found, seed)]
        right = (found.table["predicted"] == found.table["truth"]).astype(int)
        return Measures(tuple(rows), found.items({"correct": right.tolist(), "score": found.table["score"].tolist()}))

    def _score(self, score: Score, found: Judged, seed: int) -> list[Row]:
        import numpy as np

        from tasks.core.bootstrap import clusters_of

        gained, counted = _parts(score, found)
        wanted = {name: inside for name, inside in found.groups.items() if not self.groups or name in self.groups}
        kept = {name: inside for name, inside in wanted.items() if (inside & (counted > 0)).sum() >= self.minimum}
        lost = [f"{name} ({int((inside & (counted > 0)).sum())})" for name, inside in wanted.items() if name not in kept]
        why = f"left out for want of records: {', '.join(lost)}" if lost else None
        said = {**found.conditions, "groups": sizes({name: inside & (counted > 0) for name, inside in kept.items()})}
        if len(kept) < 2:
            return list(self.without("insufficient_evidence", why or "fewer than two groups", len(gained), self._names(score), said))
        inside = np.column_stack([*kept.values()]).astype(float)
        n = int(((inside.sum(axis=1) > 0) & (counted > 0)).sum())
        of = Counted(score, _sums(inside, gained, counted), self._shuffled(score, inside, gained, counted, seed), clusters_of(found.table), n, said, why)
        values, _ = _by_group(of.sums.sum(axis=0, keepdims=True))
        rows = [self._row(of, comparison, name, seed) for comparison, name in self._pairs]
        way: Any = "lower" if score in LARGER_IS_WORSE else "none" if score in ("positive_rate", "mean_score") else "higher"
        for place, (group, slug) in enumerate(slugs(list(kept)).items()):
            size = int((kept[group] & (counted > 0)).sum())
            rows.append(self.row(f"{score}/by_group/{slug}", float(values[0, place]), None, size, way, said, lowest=0.0, highest=1.0))
        return rows

    def _row(self, of: Counted, comparison: Comparison, kind: Disparity, seed: int) -> Row:
        import numpy as np

        from tasks.core.bootstrap import estimate

        name, larger_is_worse = f"{of.score}/{comparison}/{kind}", of.score in LARGER_IS_WORSE

        def statistic(total: Floats) -> Floats:
            return disparity(*_by_group(total), comparison, kind, larger_is_worse)

        number = estimate(of.sums, statistic, of.clusters, seed, self.metric("fairness", name))
        lower_is_better = kind in ("difference", "spread") or (kind == "worst_group" and larger_is_worse)
        drawn = statistic(of.shuffled)
        worst = np.nanquantile(drawn, 0.95 if lower_is_better else 0.05)
        chance = f"shuffled groups give {np.nanmean(drawn):.3f}, {'below' if lower_is_better else 'above'} {worst:.3f} in 95 of 100"
        way: Direction = "lower" if lower_is_better else "higher"
        return self.row(name, *number, of.n, way, of.conditions, reason=reasons(chance, of.why), lowest=0.0, highest=1.0)

    def _shuffled(self, score: Score, inside: Floats, gained: Floats, counted: Floats, seed: int) -> Floats:
        """(B, 4G) sums where nothing depends on the groups: memberships are shuffled over the records that count."""
        import numpy as np

        from tasks.core.seeds import numpy_generator

        generator = numpy_generator(seed, "shuffle", entity=self.metric("fairness", score))
        about = np.flatnonzero(counted > 0)
        parts = np.column_stack([gained, counted])[about]
        within = np.stack([inside[generator.permutation(about)].T @ parts for _ in range(PERMUTATIONS)])
        outside = parts.sum(axis=0) - within
        return np.hstack([within[..., 0], within[..., 1], outside[..., 0], outside[..., 1]])


def _parts(score: Score, found: Judged) -> tuple[Floats, Floats]:
    """(N,) what each record adds above the line, and (N,) below it."""
    import numpy as np

    truth, said = found.table["truth"].to_numpy(dtype=float), found.table["predicted"].to_numpy(dtype=float)
    everyone = np.ones(len(truth))
    right = (truth == said).astype(float)
    return {
        "accuracy": (right, everyone),
        "error_rate": (1 - right, everyone),
        "true_positive_rate": (said * truth, truth),
        "false_positive_rate": (said * (1 - truth), 1 - truth),
        "positive_rate": (said, everyone),
        "mean_score": (found.table["score"].to_numpy(dtype=float), everyone),
    }[score]


def _sums(inside: Floats, gained: Floats, counted: Floats) -> Floats:
    """(N, 4G): above and below the line, within each group and outside it."""
    import numpy as np

    outside = 1 - inside
    return np.hstack([inside * gained[:, None], inside * counted[:, None], outside * gained[:, None], outside * counted[:, None]])


def _by_group(total: Floats) -> tuple[Floats, Floats]:
    """(B, G) the score within each group, and outside it."""
    import numpy as np

    gained, counted, other, others = np.split(total, 4, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(gained / counted), np.asarray(other / others)
