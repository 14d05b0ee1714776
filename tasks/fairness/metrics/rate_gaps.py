"""Gaps in the rates of a classifier's answers between groups: equalized odds and demographic parity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures, Row
from tasks.fairness._judged import ClassifierMetric, Judged, sizes, slugs
from tasks.fairness.metric import Fidelity, reasons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RATES = ("true_positive_rate", "false_positive_rate", "positive_rate")


class RateGaps(ClassifierMetric):
    """True positive, false positive and positive rates by group, and their gaps.

    ``difference``, the headline, is the equalized odds difference: the larger of the gaps of the true and of the false positive rate (Hardt et al.,
    NeurIPS 2016). ``positive_rate/difference`` and ``positive_rate/ratio`` are those of demographic parity. A gap is the group with the highest
    rate less the one with the lowest; which these are is read from the numbers, and the interval is of that signed difference.
    """

    notion: ClassVar[str] = "equality of error rates"

    kind: Literal["rate-gaps"]
    groups: tuple[str, ...] = Field(default=(), description="Only these groups; none: all.")
    minimum: int = Field(default=30, ge=1, description="Records that a rate needs.")

    @property
    def fidelity(self) -> Fidelity:
        """As published, on the groups that the data names."""
        return "published"

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """The rows, and per record the answer."""
        found = self.judged(target, needed, report)
        return Measures(self.without("unsupported", found)) if isinstance(found, str) else self.scored(found, seed)

    def scored(self, found: Judged, seed: int) -> Measures:
        """The rows of records and answers."""
        import numpy as np

        truth, positive = found.table["truth"].to_numpy(dtype=bool), found.table["predicted"].to_numpy(dtype=bool)
        wanted = {name: inside for name, inside in found.groups.items() if not self.groups or name in self.groups}
        rows: list[Row] = []
        gaps: dict[str, Row] = {}
        for rate, counted in zip(RATES, (truth, ~truth, np.ones(len(truth), dtype=bool)), strict=True):
            kept = {name: inside & counted for name, inside in wanted.items() if (inside & counted).sum() >= self.minimum}
            left_out = [f"{name} ({int((inside & counted).sum())})" for name, inside in wanted.items() if name not in kept]
            why = f"left out for want of records: {', '.join(left_out)}" if left_out else None
            found_rows = self._rate(rate, kept, positive, found, seed, why)
            rows += found_rows
            gaps[rate] = found_rows[0]
        rows.insert(0, self._odds(gaps))
        return Measures(tuple(rows), found.items({"predicted": positive.astype(int).tolist(), "positive": truth.astype(int).tolist()}))

    def _odds(self, gaps: Mapping[str, Row]) -> Row:
        """The larger of the two gaps; not told where one of them is not."""
        pair = [gaps[rate] for rate in RATES[:2]]
        for gap in pair:
            if gap.value is None:
                return gap.model_copy(update={"name": self.metric("fairness", "difference")})
        larger = max(pair, key=lambda row: row.value or 0.0)
        said = {name: value for name, value in larger.conditions.items() if name != "groups"}  # those of whichever rate, which differs between models
        why = f"the larger gap is that of the {larger.name.split('/')[-2].replace('_', ' ')} ({larger.conditions['groups']})"
        return larger.model_copy(update={"name": self.metric("fairness", "difference"), "conditions": said, "reason": reasons(why, larger.reason)})

    def _rate(self, rate: str, groups: Mapping[str, Any], positive: Any, found: Judged, seed: int, why: str | None) -> list[Row]:
        import numpy as np

        from tasks.core.bootstrap import clusters_of, estimate

        clusters, said = clusters_of(found.table), {**found.conditions, "groups": sizes(groups)}
        if len(groups) < 2:
            names = (f"{rate}/difference", *([f"{rate}/ratio"] if rate == "positive_rate" else []))
            return list(self.without("insufficient_evidence", why or "fewer than two groups", len(positive), names, said))
        inside = np.column_stack([*groups.values()]).astype(float)
        sums = np.hstack([inside * positive[:, None], inside])
        values = _rates(sums.sum(axis=0, keepdims=True))[0]
        high, low = int(values.argmax()), int(values.argmin()) if values.min() < values.max() else 1
        n = int((inside.sum(axis=1) > 0).sum())

        def row(name: str, pick: Any, count: int, way: Any, lowest: float, reason: str | None) -> Row:
            value, ends = estimate(sums, lambda total: pick(_rates(total)), clusters, seed, self.metric("fairness", name))
            if np.isnan(value):
                return self.row(name, None, n=count, direction=way, conditions=said, status="undefined", reason="no group has a positive answer")
            return self.row(name, value, ends, count, way, said, reason=reason, lowest=lowest, highest=1.0)

        rows = [row(f"{rate}/difference", lambda found: found[:, high] - found[:, low], n, "lower", -1.0, why)]
        if rate == "positive_rate":
            rows.append(row(f"{rate}/ratio", lambda found: _ratio(found[:, low], found[:, high]), n, "higher", 0.0, why))
        for place, (group, slug) in enumerate(slugs(list(groups)).items()):
            rows.append(row(f"{rate}/by_group/{slug}", lambda found, place=place: found[:, place], int(groups[group].sum()), "none", 0.0, None))
        return rows


def _rates(sums: Floats) -> Floats:
    """(B, G) of (B, 2G): positive answers, then records."""
    import numpy as np

    half = sums.shape[1] // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, :half] / sums[:, half:])


def _ratio(low: Floats, high: Floats) -> Floats:
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.minimum(low / high, 1.0))
