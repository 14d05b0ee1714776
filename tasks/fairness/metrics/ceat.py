"""CEAT: the association test over the many contexts in which words stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.measures import Measures, Need, PreparedOther
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.metric import FairnessMetric, Fidelity, Side
from tasks.fairness.metrics.seat import known_tests
from tasks.fairness.wordsets import Synthetic, Words, published_digest, resolve
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.probing import Probe

    Floats = NDArray[np.float64]


class Ceat(FairnessMetric):
    """CEAT (Guo and Caliskan, AIES 2021): effect sizes of random contexts, one for each word, combined by a random-effects model.

    ``score`` is the combined effect size with its 95% interval (normal, as pooled), ``difference``, the headline, its size without the sign. With
    the paper's ``variance``, that of the associations, the weights are of an odd unit, and p follows from the number of draws: ``hedges`` is that of
    an effect size. p and the quantiles of the single effect sizes stand in words beside the number. The words'
    contexts come from ``contexts``; the paper's, of Reddit, cannot be shared. A word without a context is left out and named; where less than half
    of a list is left there is no number.
    """

    side: ClassVar[Side] = "intrinsic"
    notion: ClassVar[str] = "association"
    requires: ClassVar[tuple[Ability, ...]] = ("encoder",)

    kind: Literal["ceat"]
    test: str | None = Field(default=None, description="Name of a published test: weat6, weat8b, ...")
    words: Words | Synthetic | None = Field(default=None, description="Instead of a published test: words of one's own, or of the synthetic grammar.")
    contexts: Annotated[Dataset, OneOf(DATASETS)] = Field(description="Sentences in which the words stand: bold-wikipedia, wikitext-2, ...")
    contexts_per_word: int = Field(default=200, ge=2, le=10_000, description="The most contexts of a word, by a keyed draw.")
    draws: int = Field(default=10_000, ge=100, le=1_000_000, description="Effect sizes that are combined: 10,000 in the paper, 1,000 in its code.")
    variance: Literal["paper", "hedges"] = Field(default="paper", description="What weighs an effect size: the paper's choice, or its own variance.")
    p_side: Literal["two", "one"] = Field(default="two", description="two-tailed as the paper, one-sided as its code.")
    replace: bool = Field(default=False, description="Draw contexts with replacement also where a word has enough of them, as the code does.")

    @model_validator(mode="after")
    def _one_source(self) -> Ceat:
        if (self.test is None) == (self.words is None):
            raise ValueError("give either test or words")
        if self.test is not None:
            known_tests((self.test,))
        return self

    @property
    def fidelity(self) -> Fidelity:
        """Always an adaptation: other contexts."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """In the contexts, and perhaps the words."""
        return f"contexts of {self.contexts.kind}, not of Reddit" + ("" if self.words is None else "; words of the study")

    def content_digest(self) -> str | None:
        """That of the published words."""
        return published_digest(self.words)

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The contexts."""
        return (PreparedOther(label="contexts", data=self.contexts.model_dump(mode="json")),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``score`` and ``difference``."""
        from tasks.data.prepared import PreparedData
        from tasks.fairness._contexts import contexts_of
        from tasks.models.probing import Probe

        probe = Probe.open(target, "cpu" if report is None else report.device)
        if "encoder" not in probe.abilities:
            return Measures(self.without("unsupported", "this model has no states"))
        test = resolve(self.test, self.words)
        prepared = PreparedData(needed["data/contexts"])
        texts = [text for split in prepared.split_names for text in prepared.split(split)["text"]]
        found = contexts_of(texts, [word for words in test.lists for word in words], self.contexts_per_word)
        lists = [self._vectors(probe, words, found) for words in test.lists]
        lost = [word for words in test.lists for word in words if not found[word]]
        said = {
            "data": prepared.facts["digest"],
            "words": test.content,
            "groups": ", ".join(f"{name} {len(part)}" for name, part in zip("XYAB", lists, strict=True)),
        }
        why = f"words without a context: {', '.join(lost)}" if lost else None
        if any(2 * len(part) < len(words) or len(part) < 2 for part, words in zip(lists, test.lists, strict=True)):
            return Measures(self.without("insufficient_evidence", why or "too few words", conditions=said))
        return self.scored(lists, seed, said, why, report)

    def _vectors(self, probe: Probe, words: Sequence[str], found: Mapping[str, list[tuple[list[str], int]]]) -> list[Floats]:
        """The vectors of each word's contexts; words without any are left out."""
        import numpy as np

        kept = []
        for word in words:
            if found[word]:
                states = probe.word_states([sentence for sentence, _ in found[word]], [place for _, place in found[word]])
                states = states[~np.isnan(states).any(axis=1)]
                if len(states):
                    kept.append(states)
        return kept

    def scored(self, lists: Sequence[Sequence[Floats]], seed: int, said: dict[str, str], why: str | None, report: Any = None) -> Measures:
        """The rows of contexts' vectors of X, Y, A and B."""
        import numpy as np

        from tasks.core.seeds import numpy_generator
        from tasks.fairness._ceat import draws, p_value, pooled

        progress = None if report is None else report.progress
        effects, paper, hedges = draws(lists, self.draws, numpy_generator(seed, "ceat", entity=self.metric("fairness")), self.replace, progress)
        variances = paper if self.variance == "paper" else hedges
        told = np.isfinite(effects) & (variances > 0)
        if told.sum() < 100:
            return Measures(self.without("undefined", "nearly all draws give words one association", int(told.sum()), conditions=said))
        found = pooled(effects[told], variances[told])
        quantiles = ", ".join(f"{value:.3f}" for value in np.quantile(effects[told], [0.025, 0.5, 0.975]))
        about = {**said, "draws": str(self.draws)}
        told_p = f"p {p_value(found, self.p_side):.3g} ({self.p_side}-sided); effect sizes of single draws (2.5%, 50%, 97.5%): {quantiles}"
        reason = f"{told_p}; {why}" if why else told_p
        n = sum(len(contexts) for words in lists for contexts in words)
        ends = (found.value - 1.959964 * found.error, found.value + 1.959964 * found.error)
        sizes = sorted(abs(end) for end in ends)
        away = (0.0 if ends[0] <= 0 <= ends[1] else sizes[0], sizes[1])
        rows = (
            self.row("difference", abs(found.value), away, n, conditions=about, reason=reason, lowest=0.0),
            self.row("score", found.value, ends, n, "none", about, reason=reason),
        )
        return Measures(rows, {"id": list(range(int(told.sum()))), "effect_size": effects[told].tolist()})
