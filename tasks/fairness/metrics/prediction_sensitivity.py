"""Accumulated prediction sensitivity: how much of what moves an answer lies in the words that tell a person's group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.measures import Measures, Need, TrainedOther
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness._judged import ClassifierMetric, Opened
from tasks.fairness.metric import Fidelity
from tasks.fairness.terms import Named, TermSet, terms
from tasks.models.model import MODELS, Model
from tasks.training.training import Training

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PROTECTED = "protected"


class PredictionSensitivity(ClassifierMetric):
    """Accumulated prediction sensitivity (Krishna et al., ACL 2022): ``w^T |J| v`` of each text, and its mean.

    ``|J|[k, t]`` is the norm of the derivative of output k by the input vectors of word t; w weighs the outputs; v says how protected each word is:
    1 for the terms of a gazetteer, else 0; or, with ``protected_model``, the norm of the derivative of what that model says of a person's group,
    over the largest of the text. ``share``, the scale-free form, is over ``w^T |J| 1``: what part of the sensitivity lies in protected words, from 0
    (the answer ignores them) to 1. The raw form grows with the size of vectors and with length, and is no measure between models.
    ``words/score`` stands beside: what a model that heeds all words alike would have. Texts without a term are no items.
    """

    notion: ClassVar[str] = "sensitivity to protected words"
    headline: ClassVar[str] = "score"

    kind: Literal["prediction-sensitivity"]
    terms: Named | tuple[TermSet, ...] = Field(default="identities", description="The gazetteer: gender, identities, synthetic, or sets of words of one's own.")
    protected_model: Annotated[Model, OneOf(MODELS)] | None = Field(default=None, description="Instead of the gazetteer: a model of people's groups.")
    protected_data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(default=None, description="Texts labelled with people's groups, for that model.")
    protected_training: Training = Field(default=Training(epochs=3), description="How to train that model.")
    output: Literal["probability", "logit"] = Field(default="probability", description="What of the classifier is derived.")
    norm: Literal[1, 2, "signed"] = Field(default=2, description="1- or 2-norm over the input vector, or its signed product with the derivative.")
    weights: Literal["uniform", "predicted", "true", "probabilities"] = Field(default="uniform", description="What weighs the outputs.")
    pooling: Literal["sum", "mean", "max"] = Field(default="sum", description="From the tokens of a word to the word.")
    form: Literal["share", "raw", "length-normalised"] = Field(default="share", description="share of the whole; raw; or raw per word of the text.")
    minimum: int = Field(default=30, ge=1, description="Texts that a number needs.")

    @model_validator(mode="after")
    def _whole(self) -> PredictionSensitivity:
        if (self.protected_model is None) != (self.protected_data is None):
            raise ValueError("give protected_model and protected_data together: a model of groups learns from texts that are labelled with them")
        if self.norm == "signed" and self.form == "share":
            raise ValueError("signed sensitivities cancel, so that they have no share: use form raw or length-normalised, or norm 1 or 2")
        return self

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """In what the paper does not tell in full."""
        return "norms over input vectors by word, as declared: the paper's own choices for text are not public in full"

    @property
    def groups_compared(self) -> str:
        """The name of the terms, or that a model tells."""
        return "as a model of groups tells" if self.protected_model is not None else self.terms if isinstance(self.terms, str) else "words of the study"

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The classifier, and the model of groups."""
        return (*super().needs(study), *self.protected_needs())

    def protected_needs(self) -> tuple[Need, ...]:
        """The model of groups, where one is named."""
        if self.protected_model is None or self.protected_data is None:
            return ()
        blocks = {name: getattr(self, f"protected_{name}").model_dump(mode="json") for name in ("data", "model", "training")}
        return (TrainedOther(label=PROTECTED, **blocks),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``score`` and ``words/score``, and per item all three forms."""
        found = self.opened(target, needed, data, report)
        return Measures(self.without("unsupported", found)) if isinstance(found, str) else self.scored(found, needed, seed, report)

    def scored(self, opened: Opened, needed: Mapping[str, Path], seed: int, report: Any) -> Measures:
        """The rows of a model and records."""
        import numpy as np

        table = self.sensitivities(opened, needed, report)
        told = np.isfinite(table["share"])
        n = int(told.sum())
        said = {**opened.conditions, "terms": self.groups_compared, "form": self.form}
        if n < self.minimum:
            why = f"{n} texts name a group and move the answer, {self.minimum} are needed"
            return Measures(self.without("insufficient_evidence", why, n, conditions=said))
        left_out = f"{len(told) - n:,} of {len(told):,} texts name no group" if self.protected_model is None else f"{len(told) - n:,} texts left out"
        rows = [
            self.mean_row("score", table[self.form], told, opened, seed, "lower", said, reason=left_out, lowest=None if self.norm == "signed" else 0.0),
            self.mean_row("words/score", table["word_share"], told, opened, seed, "none", said, lowest=0.0),
        ]
        items = {name: values[told].tolist() for name, values in table.items()}
        return Measures(tuple(rows), opened.items(told, items))

    def sensitivities(self, opened: Opened, needed: Mapping[str, Path], report: Any) -> dict[str, Floats]:
        """(N,) by form, and ``word_share``; NaN for texts without a protected word or with an answer that nothing moves."""
        import numpy as np

        from tasks.fairness._sensitivity import accumulated, word_sensitivities, words_of

        split = [words_of(text) for text in opened.records["text"]]
        protected = self._protected(opened, split, needed, report)
        kept = [place for place, words in enumerate(protected) if words.any()]
        sentences = [split[place][0] for place in kept]
        sizes, chances = word_sensitivities(opened.probe, sentences, self.norm, self.output, self.pooling, report)
        classes = self._weights(opened, kept, chances)
        found = {name: np.full(len(split), np.nan) for name in ("share", "raw", "length-normalised", "word_share")}
        for place, size, weight in zip(kept, sizes, classes, strict=True):
            raw, whole = accumulated(size, weight, protected[place])
            if whole != 0:
                length = size.shape[1]
                values = (raw / whole, raw, raw / length, protected[place].mean())
                for name, value in zip(found, values, strict=True):
                    found[name][place] = value
        return found

    def _protected(self, opened: Opened, split: Sequence[tuple[list[str], list[tuple[int, int]]]], needed: Mapping[str, Path], report: Any) -> list[Floats]:
        """(W,) of each text: how protected its words are, from 0 to 1."""

        from tasks.fairness._sensitivity import word_sensitivities
        from tasks.models.probing import Probe

        if self.protected_model is None:
            words = terms(self.terms)
            return [_covered(places, words.spans(text)) for text, (_, places) in zip(opened.records["text"], split, strict=True)]
        probe = Probe.open(needed[f"trained/{PROTECTED}"], opened.probe.device)
        sizes, _ = word_sensitivities(probe, [words for words, _ in split], 2, self.output, self.pooling, report)
        summed = [size.sum(axis=0) for size in sizes]
        return [size / size.max() if size.size and size.max() > 0 else size for size in summed]

    def _weights(self, opened: Opened, kept: Sequence[int], chances: Floats) -> Floats:
        """(N, C) weights of the outputs."""
        import numpy as np

        if self.weights == "probabilities":
            return chances
        if self.weights == "uniform":
            return np.full_like(chances, 1 / chances.shape[1])
        labels = list(opened.probe.shape.labels)
        chosen = chances.argmax(axis=1) if self.weights == "predicted" else [labels.index(opened.records["label"].iloc[place]) for place in kept]
        return np.eye(chances.shape[1])[chosen]


def _covered(places: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> Floats:
    """(W,) 1 for each word that a span touches, else 0."""
    import numpy as np

    return np.asarray([any(start < last and first < end for first, last in spans) for start, end in places], dtype=float)
