"""The distillation block of a study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.core.component import OneOf
from tasks.distillation.combiner import COMBINERS, Combiner


class Weights(BaseModel):
    """How much each term of the loss counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kl: float = Field(default=1.0, ge=0, le=1000, description="Divergence of the student from the teacher, times the temperature squared.")
    cross_entropy: float = Field(default=0.5, ge=0, le=1000, description="Next-token loss on the text itself.")
    hidden: float = Field(default=0.0, ge=0, le=1000, description="1 less the cosine of the last layers' states; widths must be equal.")

    @model_validator(mode="after")
    def _some(self) -> Weights:
        if self.kl == self.cross_entropy == self.hidden == 0:
            raise ValueError("every weight is 0: there is nothing to learn from")
        return self


class Targets(BaseModel):
    """Where the teacher's log-probabilities come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: Literal["auto", "stored", "online"] = Field(
        default="auto", description="stored: computed once and kept. online: the teacher is asked at each step. auto: stored where they fit."
    )
    top_k: int | None = Field(
        default=None, ge=1, le=65_536, description="Keep only the most likely tokens of each place; the others share what is left evenly."
    )
    most_mib: int = Field(default=2048, ge=1, le=1_000_000, description="auto stores up to this many MiB.")


def _plain() -> Combiner:
    found = COMBINERS.parse({"kind": "none"})
    assert isinstance(found, Combiner)
    return found


class Distillation(BaseModel):
    """What a student learns from its teacher.

    At each place the teacher's log-probabilities after the text and after its role reversal, of the same words, are combined, normalised, divided by the
    temperature and normalised again; in this order. Places that have no counterpart (inside a word that was swapped for one of other length) are left out
    of the divergence and counted. A text without a reversal teaches what the teacher says of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(default=2.0, gt=0, le=100, description="Both distributions are softened by it.")
    weights: Weights = Field(default=Weights(), description="Terms of the loss.")
    combiner: Annotated[Combiner, OneOf(COMBINERS)] = Field(
        default_factory=_plain, description="How what the teacher says after text and reversal becomes one target."
    )
    apply_to: Literal["original", "augmented", "both"] = Field(
        default="original", description="The student learns on the texts, on their reversals (where a text has one), or on both."
    )
    swap_output_vocab: bool = Field(
        default=True, description="Exchange the probabilities of she and he, mother and father after the reversal, so that sentences stay in agreement."
    )
    restrict_to_gendered_vocab: bool = Field(
        default=False, description="Combine only the words of a group; other words keep what the teacher says of the text."
    )
    initialise: Literal["fresh", "alternate-layers"] = Field(
        default="fresh", description="The student's first weights: new, or every so many of the teacher's layers."
    )
    targets: Targets = Field(default=Targets(), description="Where the teacher's log-probabilities come from.")

    def of_targets(self) -> Distillation:
        """What decides the targets, all else as by default: students that differ in the rest share them. With states to compare nothing is stored."""
        decisive = {"combiner", "apply_to", "targets"} | ({"swap_output_vocab", "restrict_to_gendered_vocab"} if self.combiner.reads_reversal else set())
        kept = {name: getattr(self, name) for name in decisive}
        asked = {"targets": Targets(keep="online")} if self.weights.hidden else {}
        return Distillation.model_construct(**{**dict(Distillation()), **kept, **asked})
