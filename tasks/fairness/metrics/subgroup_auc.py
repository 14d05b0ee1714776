"""AUCs by group: whether a classifier orders records about a group as well as others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures, Row
from tasks.fairness._judged import ClassifierMetric, Judged, sizes, slugs
from tasks.fairness.metric import Fidelity
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.fairness._aucs import Areas

    Floats = NDArray[np.float64]

WORDS = {
    "subgroup": "within the group",
    "bpsn": "positives of the background over negatives of the group",
    "bnsp": "positives of the group over negatives of the background",
}


class SubgroupAuc(ClassifierMetric):
    """Bias AUCs (Borkan et al., WWW 2019; Mathew et al., AAAI 2021): ``subgroup``, ``bpsn`` and ``bnsp``.

    Each has ``score``, the generalised mean of power -5 over groups, ``worst_group``, and one AUC per group. ``final/score`` is a quarter each of the
    overall AUC and the three means (the Kaggle score); it is high for a useful model, whatever its bias. ``difference``, the headline, is the overall AUC
    less the mean of the three means: what is lost on groups, 0 for a model without bias and for one that knows nothing. A group with fewer than
    ``minimum`` positives or negatives has no number and is left out of the means, and named. Resamples draw users, or templates, whole.
    """

    notion: ClassVar[str] = "equality of ranking"
    requires: ClassVar[tuple[Ability, ...]] = ()

    kind: Literal["subgroup-auc"]
    background: Literal["other_groups", "all_others"] = Field(
        default="other_groups", description="What a group is compared with: records about other groups (as HateXplain), or all others (as Borkan)."
    )
    groups: tuple[str, ...] = Field(default=(), description="Only these groups; none: all.")
    minimum: int = Field(default=10, ge=1, description="Positives and negatives that a group needs.")
    resamples: int = Field(default=500, ge=100, le=10_000, description="Of the bootstrap.")

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation: groups are those that the data names."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """In the groups of the data."""
        return "groups as the data names them (targets differ from the published ones)"

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """The rows, and per record the score."""
        found = self.judged(target, needed, report)
        if isinstance(found, str):
            return Measures(self.without("unsupported", found))
        return self.scored(found, seed)

    def scored(self, found: Judged, seed: int) -> Measures:
        """The rows of records and answers."""
        import numpy as np

        from tasks.core.bootstrap import clusters_of
        from tasks.core.seeds import numpy_generator
        from tasks.fairness._aucs import areas, resampled

        truth, scores = found.table["truth"].to_numpy(dtype=bool), found.table["score"].to_numpy(dtype=float)
        wanted = {name: inside for name, inside in found.groups.items() if not self.groups or name in self.groups}
        counts = {name: (int((inside & truth).sum()), int((inside & ~truth).sum())) for name, inside in wanted.items()}
        kept = {name: inside for name, inside in wanted.items() if min(counts[name]) >= self.minimum}
        left_out = [f"{name} ({counts[name][0]} positive, {counts[name][1]} negative)" for name in wanted if name not in kept]
        said = {**found.conditions, "groups": sizes(kept)}
        why = f"left out for want of records: {', '.join(left_out)}" if left_out else None
        if len(kept) < 2:
            return Measures(self.without("insufficient_evidence", why or "fewer than two groups", len(truth), conditions=said))
        point = areas(scores, truth, kept, np.ones((1, len(truth))), self.background == "other_groups")
        pieces = resampled(clusters_of(found.table), self.resamples, numpy_generator(seed, "bootstrap", entity=self.metric("fairness")))
        drawn = [areas(scores, truth, kept, weights, self.background == "other_groups") for weights in pieces]
        rows = self._rows(point, drawn, kept, said, why)
        return Measures(tuple(rows), found.items({"score": scores.tolist(), "positive": truth.astype(int).tolist()}))

    def _rows(self, point: Areas, drawn: list[Areas], groups: Mapping[str, Any], said: dict[str, str], why: str | None) -> list[Row]:
        import numpy as np

        from tasks.fairness._aucs import KINDS

        n = int(np.any([*groups.values()], axis=0).sum())
        means = {kind: (float(point.generalised(kind)[0]), np.concatenate([one.generalised(kind) for one in drawn])) for kind in KINDS}
        overall = (float(point.overall[0]), np.concatenate([one.overall for one in drawn]))
        mean_of_three = (float(np.mean([mean[0] for mean in means.values()])), np.mean([mean[1] for mean in means.values()], axis=0))
        final = (0.25 * overall[0] + 0.75 * mean_of_three[0], 0.25 * overall[1] + 0.75 * mean_of_three[1])
        ideal = {**said, "ideal": "1"}
        rows = [
            self._area("difference", overall[0] - mean_of_three[0], overall[1] - mean_of_three[1], n, said, "lower", why, lowest=-1.0),
            self._area("final/score", *final, n, ideal, "higher", why),
            self._area("overall/score", *overall, n, ideal, "higher", None),
        ]
        for kind in KINDS:
            values, samples = point.by_kind[kind][0], np.concatenate([one.by_kind[kind] for one in drawn])
            worst = int(np.nanargmin(values))
            about = {**ideal, "compares": WORDS[kind]}
            rows.append(self._area(f"{kind}/score", *means[kind], n, about, "higher", why))
            rows.append(self._area(f"{kind}/worst_group", float(values[worst]), samples[:, worst], int([*groups.values()][worst].sum()), about, "higher", why))
            for place, (group, slug) in enumerate(slugs(list(groups)).items()):
                size = int(groups[group].sum())
                rows.append(self._area(f"{kind}/by_group/{slug}", float(values[place]), samples[:, place], size, about, "higher", None))
        return rows

    def _area(self, name: str, value: float, samples: Floats, n: int, said: dict[str, str], way: Any, why: str | None, lowest: float = 0.0) -> Row:
        import numpy as np

        low, high = np.nanquantile(samples, [0.025, 0.975])
        ends = (min(float(low), value), max(float(high), value)) if low < high else None
        return self.row(name, value, ends, n, way, said, reason=why, lowest=lowest, highest=1.0)
