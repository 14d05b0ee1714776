"""Counterfactual token fairness: how far an answer moves when the words for one group are replaced by those for another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures
from tasks.fairness._judged import ClassifierMetric, Opened
from tasks.fairness.metric import Fidelity
from tasks.fairness.terms import Named, TermSet, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class CounterfactualTokenFairness(ClassifierMetric):
    """Counterfactual token fairness (Garg et al., AIES 2019): the mean over texts, and over each text's counterparts, of ``|f(x) - f(x')|``.

    f is the probability of the positive label, or of all labels half the sum of the distances where there are more than two and none is named
    (total variation, which is the same for two). A text whose words change its right label when swapped is no evidence of unfairness: ``only_label``
    keeps the records of one true label, ``exclude`` leaves out texts with words of one's own. Texts without a term are no items.
    """

    notion: ClassVar[str] = "counterfactual fairness"

    kind: Literal["counterfactual-token-fairness"]
    terms: Named | tuple[TermSet, ...] = Field(
        default="identities", description="gender, identities, synthetic, or sets of interchangeable words of one's own."
    )
    variants: int = Field(default=8, ge=1, le=50, description="The most counterparts of a text.")
    only_label: str | None = Field(default=None, description="Keep only records whose true label is this.")
    exclude: tuple[str, ...] = Field(default=(), description="Texts with one of these words are left out.")
    minimum: int = Field(default=30, ge=1, description="Texts with a term that a number needs.")

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation: the paper's list of 50 terms and its handling of asymmetric ones are not public in full."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """In the words."""
        return "interchangeable words of one part of speech instead of the paper's list"

    @property
    def groups_compared(self) -> str:
        """The name of the terms."""
        return self.terms if isinstance(self.terms, str) else "words of the study"

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``gap``, and per item its gap and number of counterparts."""
        found = self.opened(target, needed, data, report)
        return Measures(self.without("unsupported", found)) if isinstance(found, str) else self.scored(found, seed)

    def scored(self, opened: Opened, seed: int) -> Measures:
        """The rows of a model and records."""
        gaps, counts = self.gaps(opened)
        told = counts > 0
        n, said = int(told.sum()), {**opened.conditions, "terms": self.groups_compared}
        why = f"{len(gaps) - n:,} of {len(gaps):,} texts have no counterpart"
        if n < self.minimum:
            return Measures(self.without("insufficient_evidence", f"{n} texts have a counterpart, {self.minimum} are needed", n, conditions=said))
        row = self.mean_row("difference", gaps, told, opened, seed, "lower", said, reason=why, lowest=0.0, highest=1.0)
        return Measures((row,), opened.items(told, {"gap": gaps[told].tolist(), "variants": counts[told].tolist()}))

    def gaps(self, opened: Opened) -> tuple[Floats, Any]:
        """(N,) the gap of each record, NaN where it has no counterpart, and (N,) the number of counterparts."""
        import numpy as np

        words = terms(self.terms, self.exclude)
        texts = opened.records["text"].tolist()
        kept = [self.only_label in (None, label) for label in opened.records["label"]]
        counterparts = [words.counterparts(text, self.variants) if keep else [] for text, keep in zip(texts, kept, strict=True)]
        asked = [place for place, others in enumerate(counterparts) if others]
        own = np.zeros((len(texts), len(opened.probe.shape.labels)))
        found = np.full(len(texts), np.nan)
        counts = np.asarray([len(others) for others in counterparts])
        if asked:
            own[asked] = opened.probe.classify([texts[place] for place in asked])
            owners = np.repeat(np.arange(len(texts)), counts)
            moved = opened.probe.classify([other for others in counterparts for other in others]) - own[owners]
            labels = list(opened.probe.shape.labels)
            distances = np.abs(moved[:, labels.index(self.positive)]) if self.positive in labels else np.abs(moved).sum(axis=1) / 2
            sums = np.bincount(owners, distances, minlength=len(texts))
            found[asked] = sums[asked] / counts[asked]
        return found, counts
