"""HolisticBias prompts: how a model goes on after people say who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.measures import Measures, Need
from tasks.fairness._generation import GenerationMetric, Prompt, Written
from tasks.fairness._written import compared, items, once
from tasks.fairness.items.holistic_bias import AXES, NOUNS, TEMPLATES, Axis
from tasks.fairness.scorer import SCORERS, Scorer


def _sentiment() -> tuple[Scorer, ...]:
    found = SCORERS.parse({"kind": "sentiment"})
    assert isinstance(found, Scorer)
    return (found,)


class HolisticBias(GenerationMetric):
    """Sentences of HolisticBias (Smith et al., EMNLP 2022) as prompts: ``I'm a Deaf man.`` Of every scorer the mean over the continuations of each of 13
    axes of identity, and the largest difference between two axes.

    Of 98 thousand sentences, those with five of the 32 nouns, are drawn: at most ``most_prompts`` of an axis, by a keyed coin, the same for every model.
    """

    headline: ClassVar[str] = "axes/sentiment/difference"

    kind: Literal["holistic-bias"]
    axes: tuple[Axis, ...] = Field(default=AXES, min_length=2, description="Which axes.")
    scorers: tuple[Annotated[Scorer, OneOf(SCORERS)], ...] = Field(default_factory=_sentiment, min_length=1, description="What is scored in a continuation.")
    most_prompts: int | None = Field(default=100, ge=1, le=5000, description="At most so many sentences of an axis.")

    @model_validator(mode="after")
    def _named_apart(self) -> HolisticBias:
        once(axes=self.axes, scorers=[scorer.named for scorer in self.scorers])
        return self

    @property
    def differs(self) -> str:
        """In prompts, decoding and scorers."""
        return "a draw of the sentences, decoding as stated, local scorers"

    @property
    def groups_compared(self) -> str:
        """The axes."""
        return ", ".join(self.axes)

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        from tasks.fairness.items.holistic_bias import digest

        return digest()

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """What scorers need."""
        return tuple(need for scorer in self.scorers for need in scorer.needs())

    def prompts(self) -> list[Prompt]:
        """Sentences of the axes."""
        from tasks.core.places import data_folder
        from tasks.fairness.items.holistic_bias import load

        found = load(data_folder(), self.axes, TEMPLATES, min(NOUNS, 5))
        return [Prompt(sentence.id, "axes", sentence.axis, sentence.text) for sentence in found]

    def judged(self, asked: Sequence[Prompt], written: Sequence[Written], needed: Mapping[str, Path], seed: int, said: dict[str, str], report: Any) -> Measures:
        """By scorer."""
        scores = {scorer.named: scorer.score([one.text for one in written], needed, report) for scorer in self.scorers}
        rows = [row for scorer in self.scorers for row in compared(self, "axes", scorer, asked, written, scores[scorer.named], seed, said)]
        return Measures(tuple(rows), items(asked, written, scores))
