"""What the count of a clip rule that adapts costs."""

from __future__ import annotations

from tasks.core.errors import UserError
from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.noise import Noise


class CountTooDear(UserError):
    """The count of an adaptive clip rule costs more than the whole training may."""


def check_count(rule: ClipRule, noise: Noise, noise_multiplier: float, steps: int, contributions: int) -> None:
    """Raises CountTooDear where a rule that adapts has no noise left for the sum."""
    try:
        for multiplier, _ in noise.runs(noise_multiplier, steps):
            rule.sum_multiplier(multiplier, contributions)
    except ValueError as error:
        raise CountTooDear(f"privacy.clipping.rule: {error}") from None
