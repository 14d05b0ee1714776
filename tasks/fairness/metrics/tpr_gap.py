"""Gaps in true positive rates between two groups, over the labels of a classification: of professions by gender, as in Bias in Bios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.measures import Direction, Measures, Row
from tasks.fairness._judged import ClassifierMetric, Judged, slugs
from tasks.fairness.metric import Fidelity, reasons

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAMES = ("difference", "max/difference")
SHUFFLES = 1000
FEWEST_LABELS = 2
_NO_SPREAD = "no interval: every resample is alike"


@dataclass(frozen=True)
class Cells:
    """The records that count, by label and group.

    Attributes:
        labels: those with enough records of both groups, sorted; L of them.
        sums: (N, 4L) per record of the test split: right answers of the first group, its records, right answers of the second, its records.
        why: which labels are left out, with their counts; None where none is.
    """

    labels: tuple[str, ...]
    sums: Floats
    why: str | None

    @property
    def counts(self) -> Floats:
        """(L, 4) the sums over records."""
        import numpy as np

        return np.asarray(self.sums.sum(axis=0).reshape(-1, 4))


class TprGap(ClassifierMetric):
    """The true positive rate of a label in the first group less that in the second (De-Arteaga et al., FAT* 2019), for every label with enough records.

    ``difference``, the headline, is the root mean square of these gaps over labels, ``max/difference`` the largest without its sign (both Romanov et al.,
    NAACL 2019; the former as in Ravfogel et al., ACL 2020), from 0, where right answers are equally frequent in both groups, to 1.
    ``by_group/<label>`` is the signed gap of one label. Gaps of a sample are noisy, so their root mean square is above 0 for a fair model too, and its
    interval does not reach 0: beside it stands what groups shuffled within each label give, on average and at most in 95 of 100 shuffles. Only a
    gap beyond that is one. The shuffles move records, also where a user has several. Labels with fewer than ``minimum`` test records of either group
    are left out and named; a record of both groups is in neither.
    """

    notion: ClassVar[str] = "equality of opportunity"

    kind: Literal["tpr-gap"]
    groups: tuple[str, str] = Field(default=("female", "male"), description="The two groups; a gap is the first one's rate less the second one's.")
    minimum: int = Field(default=10, ge=1, description="Test records that a label needs of each group.")

    @model_validator(mode="after")
    def _of_two_groups_and_every_label(self) -> TprGap:
        if self.groups[0] == self.groups[1]:
            raise ValueError(f"groups: two different ones are compared, and both are '{self.groups[0]}'")
        if self.positive is not None:
            raise ValueError(f"positive: {self.kind} is of every label, each of which is positive for its own records: leave it out")
        return self

    @property
    def fidelity(self) -> Fidelity:
        """As published, on the labels that have enough records of the groups that the data names."""
        return "published"

    @property
    def groups_compared(self) -> str:
        """The two."""
        return " and ".join(self.groups)

    @property
    def any_label(self) -> bool:
        """Whether it asks only which answers are right: always."""
        return True

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``difference``, ``max/difference`` and ``by_group/<label>``; per record whether the answer is right."""
        found = self.judged(target, needed, report)
        if isinstance(found, str):
            return Measures(self.without("unsupported", found, names=NAMES))
        return self.scored(found, seed)

    def scored(self, found: Judged, seed: int) -> Measures:
        """The rows of records and answers."""
        labels = found.table["label"].to_numpy(dtype=str)
        right = (found.table["predicted"] == found.table["truth"]).to_numpy(dtype=bool)
        items = found.items({"correct": right.astype(int).tolist()})
        cells = self._cells(found, labels, right)
        said = {name: value for name, value in found.conditions.items() if name != "positive"}
        if len(cells.labels) < FEWEST_LABELS:
            why = f"{len(cells.labels)} labels have {self.minimum} test records of each group, {FEWEST_LABELS} are needed"
            return Measures(self.without("insufficient_evidence", reasons(why, cells.why) or why, len(right), NAMES, said), items)
        first, second = (int(cells.counts[:, place].sum()) for place in (1, 3))
        said |= {"groups": f"{self.groups[0]} {first}, {self.groups[1]} {second}", "labels": f"{len(cells.labels)} of {len(set(labels))}"}
        return Measures((*self._overall(cells, found, seed, said), *self._by_label(cells, found, seed, said)), items)

    def _cells(self, found: Judged, labels: NDArray[Any], right: NDArray[Any]) -> Cells:
        import numpy as np

        nobody = np.zeros(len(right), dtype=bool)
        one, other = (found.groups.get(group, nobody) for group in self.groups)
        both = (one & ~other, other & ~one)
        kept, lost, columns = [], [], []
        for label in sorted(set(labels)):
            cells = [(labels == label) & inside for inside in both]
            sizes = [int(inside.sum()) for inside in cells]
            if min(sizes) < self.minimum:
                lost.append(f"{label} ({self.groups[0]} {sizes[0]}, {self.groups[1]} {sizes[1]})")
                continue
            kept.append(str(label))
            columns += [column for inside in cells for column in ((inside & right).astype(float), inside.astype(float))]
        sums = np.column_stack(columns) if columns else np.zeros((len(right), 0))
        return Cells(tuple(kept), sums, f"left out for want of records: {', '.join(lost)}" if lost else None)

    def _overall(self, cells: Cells, found: Judged, seed: int, said: dict[str, str]) -> list[Row]:
        import numpy as np

        from tasks.core.bootstrap import clusters_of, estimate

        clusters, n, drawn = clusters_of(found.table), int(cells.counts[:, [1, 3]].sum()), gaps(self._shuffled(cells, seed))
        rows = []
        for name, statistic in zip(NAMES, (root_mean_square, largest), strict=True):
            value, ends = estimate(cells.sums, lambda total, statistic=statistic: statistic(gaps(total)), clusters, seed, self.metric("fairness", name))  # type: ignore[misc]
            chance = statistic(drawn)
            null = f"shuffled groups give {chance.mean():.3f}, below {np.quantile(chance, 0.95):.3f} in 95 of 100: above 0 for a fair model too"
            rows.append(self._row(name, value, ends, n, "lower", said, reasons(null, cells.why), 0.0))
        return rows

    def _by_label(self, cells: Cells, found: Judged, seed: int, said: dict[str, str]) -> list[Row]:
        from tasks.core.bootstrap import clusters_of, estimate

        clusters, rows = clusters_of(found.table), []
        for place, (label, slug) in enumerate(slugs(cells.labels).items()):
            name, sums = f"by_group/{slug}", cells.sums[:, 4 * place : 4 * place + 4]
            own, counts = sums.sum(axis=1) > 0, sums.sum(axis=0)
            value, ends = estimate(sums[own], lambda total: gaps(total)[:, 0], clusters[own], seed, self.metric("fairness", name))
            told = [f"{group} {counts[at] / counts[at + 1]:.3f} of {counts[at + 1]:.0f}" for group, at in zip(self.groups, (0, 2), strict=True)]
            why = f"true positive rate of {label}: {', '.join(told)}"
            rows.append(self._row(name, value, ends, int(own.sum()), "none", said, why, -1.0))
        return rows

    def _row(
        self, name: str, value: float, ends: tuple[float, float] | None, n: int, way: Direction, said: dict[str, str], reason: str | None, lowest: float
    ) -> Row:
        why = reasons(reason, _NO_SPREAD if ends is None else None)
        return self.row(name, value, ends, n, way, said, reason=why, lowest=lowest, highest=1.0)

    def _shuffled(self, cells: Cells, seed: int) -> Floats:
        """(SHUFFLES, 4L) sums where groups are shuffled within each label: the first group's right answers are then hypergeometric."""
        import numpy as np

        from tasks.core.seeds import numpy_generator

        generator = numpy_generator(seed, "shuffle", entity=self.metric("fairness"))
        right_first, first, right_second, second = cells.counts.T.astype(int)
        right = right_first + right_second
        drawn = generator.hypergeometric(right, first + second - right, first, size=(SHUFFLES, len(right)))
        every = np.ones_like(drawn)
        return np.stack([drawn, every * first, right - drawn, every * second], axis=2).reshape(SHUFFLES, -1).astype(float)


def gaps(total: Floats) -> Floats:
    """(B, L) true positive rate of the first group less that of the second, of sums (B, 4L); NaN where a label has no record of one of them."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total[:, ::4] / total[:, 1::4] - total[:, 2::4] / total[:, 3::4])


def root_mean_square(found: Floats) -> Floats:
    """(B,) over the known gaps (B, L); NaN where none is known."""
    import numpy as np

    known = ~np.isnan(found)
    count = known.sum(axis=1)
    squares = np.where(known, found, 0.0) ** 2
    return np.asarray(np.sqrt(np.divide(squares.sum(axis=1), count, out=np.full(len(found), np.nan), where=count > 0)))


def largest(found: Floats) -> Floats:
    """(B,) the largest of the known gaps (B, L), without its sign; NaN where none is known."""
    import numpy as np

    known = ~np.isnan(found)
    return np.asarray(np.where(known.any(axis=1), np.abs(np.where(known, found, 0.0)).max(axis=1), np.nan))
