"""Which follows a planted bias, or people's ratings, better: prediction sensitivity or counterfactual token fairness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.measures import Measures, Need, Row
from tasks.fairness._judged import ClassifierMetric, Opened
from tasks.fairness.metrics.counterfactual_token_fairness import CounterfactualTokenFairness
from tasks.fairness.metrics.prediction_sensitivity import PredictionSensitivity

if TYPE_CHECKING:
    from tasks.fairness._following import Following

NAMES = ("sensitivity/score", "counterfactual/score", "difference")


class BiasDetection(ClassifierMetric):
    """Rank correlations, over texts, of two measures of bias with a rating of each text, and their difference (the claim of Krishna et al., ACL 2022).

    The rating is a column of ``files`` data (``columns.rating``: people's own), or what ``synthetic-stereotypes`` planted. Both measures see the same
    texts, those with a rating and with a term: ``sensitivity/score`` and ``counterfactual/score`` are Spearman's rho, and ``difference``, the first less
    the second, has a paired bootstrap interval and its p. ``sensitivity_auc/score`` and ``counterfactual_auc/score`` are the chance that a text
    with a planted or rated bias is ranked above one without. It measures metrics, not the model: it joins no correlation over models.
    """

    notion: ClassVar[str] = "agreement with a rating of bias"
    headline: ClassVar[str] = ""
    ideal: ClassVar[float | None] = None

    kind: Literal["bias-detection"]
    sensitivity: PredictionSensitivity = Field(
        default=PredictionSensitivity(kind="prediction-sensitivity", form="raw"), description="How to measure sensitivity; its data and fine-tuning are ours."
    )
    counterfactual: CounterfactualTokenFairness = Field(
        default=CounterfactualTokenFairness(kind="counterfactual-token-fairness"), description="How to measure the counterfactual gap; likewise."
    )
    rated_above: float | None = Field(default=None, description="Only texts that are rated above this: whether their order is followed, not who has any.")
    minimum: int = Field(default=30, ge=10, description="Texts that a correlation needs.")

    @model_validator(mode="after")
    def _one_model(self) -> BiasDetection:
        for part in (self.sensitivity, self.counterfactual):
            if part.data is not None or part.test_data is not None:
                raise ValueError(f"{part.kind} stands on the data of bias-detection: name data and test_data there")
        if self.counterfactual.only_label is not None:
            raise ValueError("only_label would leave texts out of one measure alone: both must see the same texts")
        return self

    @property
    def groups_compared(self) -> str:
        """The terms of both measures."""
        return self.counterfactual.groups_compared

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The classifier, and the model of groups."""
        return (*super().needs(study), *self.sensitivity.protected_needs())

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """Correlations, their difference, areas; per item both measures and the rating."""
        found = self.opened(target, needed, data, report)
        if isinstance(found, str):
            return Measures(self.without("unsupported", found, names=NAMES))
        if "rating" not in found.records:
            return Measures(self.without("unsupported", "the test records have no rating", names=NAMES))
        return self.scored(found, needed, seed, report)

    def scored(self, opened: Opened, needed: Mapping[str, Path], seed: int, report: Any) -> Measures:
        """The rows of a model and rated records."""
        import numpy as np

        from tasks.core.bootstrap import clusters_of
        from tasks.core.seeds import numpy_generator
        from tasks.fairness._following import following

        sensitivity = self.sensitivity.sensitivities(opened, needed, report)[self.sensitivity.form]
        gaps, _ = self.counterfactual.gaps(opened)
        rating = opened.records["rating"].to_numpy(dtype=float)
        told = np.isfinite(sensitivity) & np.isfinite(gaps) & np.isfinite(rating) & (rating > (-np.inf if self.rated_above is None else self.rated_above))
        n, said = int(told.sum()), {**opened.conditions, "form": self.sensitivity.form}
        if n < self.minimum:
            return Measures(self.without("insufficient_evidence", f"{n} rated texts have both measures, {self.minimum} are needed", n, NAMES, said))
        clusters = clusters_of(opened.records[told])
        found = following(sensitivity[told], gaps[told], rating[told], clusters, numpy_generator(seed, "bootstrap", entity=self.metric("fairness")))
        if found is None:
            return Measures(self.without("undefined", "a measure, or the rating, is the same for all texts", n, NAMES, said))
        rows = (*self._correlations(found, n, said), *self._areas(sensitivity[told], gaps[told], rating[told], said))
        items = {"sensitivity": sensitivity[told].tolist(), "counterfactual": gaps[told].tolist(), "rating": rating[told].tolist()}
        return Measures(rows, opened.items(told, items))

    def _correlations(self, found: Following, n: int, said: dict[str, str]) -> list[Row]:
        p = "p of no difference: not told" if found.p is None else f"p of no difference {found.p:.3g} (two-sided, paired bootstrap)"
        rows = []
        for name, (value, ends), way, why in zip(
            NAMES, (found.first, found.second, found.difference), ("higher", "higher", "none"), (None, None, p), strict=True
        ):
            rows.append(self.row(name, value, ends, n, way, said, reason=why))  # type: ignore[arg-type]
        return rows

    def _areas(self, sensitivity: Any, gaps: Any, rating: Any, said: dict[str, str]) -> list[Row]:
        """Areas under the curve, where some texts are rated 0 and some above."""
        from sklearn.metrics import roc_auc_score

        biased = rating > 0
        if biased.all() or not biased.any():
            return []
        counts = f"biased {int(biased.sum())}, not {int((~biased).sum())}"
        pairs = (("sensitivity_auc/score", sensitivity), ("counterfactual_auc/score", gaps))
        return [self.row(name, float(roc_auc_score(biased, values)), None, len(biased), "higher", {**said, "groups": counts}) for name, values in pairs]
