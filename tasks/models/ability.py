"""What a trained model can be asked."""

from __future__ import annotations

from typing import Literal

Ability = Literal["encoder", "masked-lm", "causal-lm", "classifier"]
"""encoder: states of words and texts. masked-lm: the probability of a hidden token. causal-lm: of the next one. classifier: of labels."""

ReadAs = Literal["auto", "encoder", "masked-lm", "causal-lm", "classifier", "tagger"]
"""What a published model is read as: for its states alone, or with the answers that it was published with."""

ABILITY_OF_TASK: dict[str, tuple[Ability, ...]] = {
    "intent": ("encoder", "classifier"),
    "joint": ("encoder", "classifier"),
    "tagging": ("encoder",),
    "qa": ("encoder",),
    "seq2seq": ("encoder",),
    "mlm": ("encoder", "masked-lm"),
    "lm": ("encoder", "causal-lm"),
    "encoder": ("encoder",),
}
