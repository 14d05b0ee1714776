"""Guessing a canary's secret symbol by symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.attacks.canary import CanaryAttack
from tasks.core.measures import Measures

if TYPE_CHECKING:
    from tasks.attacks._candidates import Hunted


class CanaryCompletion(CanaryAttack):
    """Go on with the pattern by whatever symbol the model loses least on, from left to right, with a beam.

    A language model is asked to complete the text; of a classifier or tagger the beginning of the record is scored with the canary's answers, a search over
    tokens (Elmahdy, Inan and Sim, PrivateNLP 2022).
    """

    kind: Literal["canary-completion"]
    beam: int = Field(default=10, ge=1, le=1000, description="Beginnings that are kept at each symbol; 1 is greedy.")

    def hunt(self, hunted: Hunted, seed: int, report: Any) -> Measures:
        """``completion_exact_match`` and ``completion_hamming``."""
        from tasks.attacks._candidates import said

        guesses = []
        for number, canary in enumerate(hunted.canaries):
            kept: list[tuple[str, ...]] = [()]
            for _ in range(hunted.block.length):
                longer = [(*beginning, symbol) for beginning in kept for symbol in hunted.block.alphabet]
                losses = hunted.losses(canary.beginning, longer)
                kept = [longer[place] for place in losses.argsort(kind="stable")[: self.beam]]
            guesses.append(kept[int(hunted.losses(canary, kept).argmin())])
            report.progress(number + 1, len(hunted.canaries), "completing")
        rows, by_canary = self.found("completion_", guesses, hunted)
        return Measures(rows, said(hunted, **by_canary))
