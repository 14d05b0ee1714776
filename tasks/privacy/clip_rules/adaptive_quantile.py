"""Adaptive clipping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.privacy.blocks import LayerScales
from tasks.privacy.clip_rule import Bound, ClipRule
from tasks.privacy.clip_rules._shortened import shortened

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveQuantile(ClipRule):
    """The clip norm follows a quantile of the norms: C <- C exp(-learning_rate (b - quantile)), b the noisy share of contributions that were not clipped
    (Andrew, Thakkar, McMahan and Ramaswamy, NeurIPS 2021). The count is a release of its own and is charged: each contribution counts +1/2 or -1/2, and
    1 / z^2 = 1 / z_sum^2 + 1 / (2 count_noise)^2.
    """

    kind: Literal["adaptive-quantile"]
    initial: float = Field(default=1.0, gt=0, le=1e6, description="The clip norm of the first step.")
    quantile: float = Field(default=0.5, gt=0, lt=1, description="Which share of contributions should not be clipped.")
    learning_rate: float = Field(default=0.2, gt=0, le=10, description="How fast the clip norm follows.")
    count_noise: float | None = Field(
        default=None, gt=0, description="Deviation of the noise on the count; without it a 20th of the expected contributions, or the noise multiplier if more."
    )

    @property
    def sensitivity(self) -> float:
        """That of the first step."""
        return self.initial

    def factors(self, norms: Tensor) -> Tensor:
        """As in the first step."""
        return shortened(norms, self.initial)

    def begin(self) -> Bound:
        """A clip norm that moves."""
        return Adapting(self, self.initial)

    def deviation(self, noise_multiplier: float, contributions: int) -> float:
        """Of the noise on the count in a step of that noise multiplier."""
        return self.count_noise or max(contributions / 20, noise_multiplier)

    def sum_multiplier(self, noise_multiplier: float, contributions: int) -> float:
        """What is left for the sum. Raises ValueError where the count alone costs more than there is."""
        left = noise_multiplier**-2 - (2 * self.deviation(noise_multiplier, contributions)) ** -2
        if left <= 0:
            raise ValueError(f"the count alone costs more than noise multiplier {noise_multiplier:.4g}: raise count_noise above half of it, or leave it out")
        return 1 / math.sqrt(left)


@dataclass
class Adapting:
    """The rule at work: the clip norm of a step, and the count of those that were not longer."""

    rule: AdaptiveQuantile
    clip_norm: float
    balance: float = 0.0
    """Those not clipped less those clipped, by half. Private."""

    @property
    def layer_scales(self) -> LayerScales:
        """That of the rule."""
        return self.rule.layer_scales

    @property
    def sensitivity(self) -> float:
        """The clip norm of this step."""
        return self.clip_norm

    def factors(self, norms: Tensor) -> Tensor:
        """min(1, C / norm)."""
        return shortened(norms, self.clip_norm)

    def observe(self, norms: Tensor) -> None:
        """Count."""
        self.balance += float((norms <= self.clip_norm).double().sub(0.5).sum())

    def move(self, draw: float, noise_multiplier: float, contributions: int) -> None:
        """To the clip norm of the next step, by the count with noise; ``draw`` is standard normal."""
        share = 0.5 + (self.balance + draw * self.rule.deviation(noise_multiplier, contributions)) / contributions
        self.clip_norm *= math.exp(-self.rule.learning_rate * (share - self.rule.quantile))
        self.balance = 0.0
