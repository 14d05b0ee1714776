"""Reading a canary's secret out of a classifier or tagger by gradient descent on its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.attacks.attacks.canary_exposure import ENUMERATED
from tasks.attacks.canary import CanaryAttack
from tasks.core.measures import Measures

if TYPE_CHECKING:
    from tasks.attacks._candidates import Hunted


class CanaryInversion(CanaryAttack):
    """ModIvA: mixtures of word vectors in the secret's places are learnt that make the canary's answers likeliest (Parikh, Dupuy and Gupta, ACL 2022).

    The attacker has the model, knows the pattern and the answers. Logits Z, one row per symbol, begin at random (Glorot); softmax(Z / temperature) times the
    vectors of the vocabulary stands in the secret's places; Adam lowers the loss of the canary's intent and tags, until the likeliest symbols were the same
    for ``patience`` steps. Of several restarts the one counts whose symbols, put in as words, lose least. By default the attack is stronger than the
    published one, which is learning_rate 0.02, temperature 1, restarts 1, refine false: the likeliest mixture is not always nearest to the likeliest words.
    """

    kind: Literal["canary-inversion"]
    steps: int = Field(default=1000, ge=1, le=100_000, description="The most steps of each restart.")
    patience: int = Field(default=100, ge=1, le=100_000, description="Steps without another likeliest symbol after which a restart ends.")
    restarts: int = Field(default=16, ge=1, le=1000, description="Beginnings, optimised side by side.")
    learning_rate: float = Field(default=0.1, gt=0, description="Of Adam; 0.02 as published.")
    temperature: float = Field(default=0.5, gt=0, description="Of the softmax: lower, and mixtures are nearer to single words; 1 as published.")
    refine: bool = Field(default=True, description="Go on from each restart by exchanging one symbol at a time while the loss of the words falls.")
    vocabulary: Literal["alphabet", "full"] = Field(default="alphabet", description="What mixtures are of: the secret's symbols, or all tokens of the model.")

    def hunt(self, hunted: Hunted, seed: int, report: Any) -> Measures:
        """``exact_match``, ``hamming`` and, where every candidate can be asked about, ``finds_likeliest``: the share in which no candidate loses less."""
        from tasks.attacks._candidates import said
        from tasks.attacks._inversion import invert, likeliest

        guesses = invert(self, hunted, seed, report)
        rows, by_canary = self.found("", guesses, hunted)
        if hunted.block.candidates <= ENUMERATED // 10:
            best = likeliest(hunted, guesses)
            rows = (*rows, self.row("finds_likeliest", best, hunted, "none", (0.0, 1.0)))
            by_canary["likeliest"] = best
        return Measures(rows, said(hunted, **by_canary))
