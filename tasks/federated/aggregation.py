"""How a round's contributions become the update that the server applies: as they are, or clipped, with noise, over a public number of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tasks.core.seeds import numpy_generator
from tasks.federated.totals import Asked, Sums, Total
from tasks.privacy.account import Account
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tasks.training.noising import NoiseSource


class Aggregation:
    """The weighted sum of updates, without noise.

    Args:
        sums: how it is made.
    """

    public_size: int | None = None
    """The public number of devices, where rates follow from it."""

    def __init__(self, sums: Sums | None = None) -> None:
        self.sums = sums or Sums()

    @property
    def kept(self) -> dict[str, float]:
        """What changes from round to round beside the weights: nothing."""
        return {}

    @kept.setter
    def kept(self, values: Mapping[str, float]) -> None:
        """Go on from there."""

    def begin(self, sent: Sequence[Tensor], asked: Asked) -> Total:
        """The sum of a round."""
        return self.sums.begin(sent, asked)

    def end(self, total: Total, round: int) -> list[Tensor] | None:
        """The update in float64, in the order of the trained weights; None where there is nothing to apply."""
        return total.sum() if total.received else None


class PrivateAggregation(Aggregation):
    """DP-FedAvg at work: contributions are clipped on devices, summed, noise is added, and the sum divided by the size of a cohort that is asked for.

    A round without devices is released like every other: its noise alone.

    Args:
        privacy: the mechanism.
        account: what it spends; the noise is that which was accounted for.
        trained: the trained weights by name.
        key: decides noise and the noise on counts.
        sums: how contributions are summed.
    """

    def __init__(self, privacy: DpFedAvg, account: Account, trained: Mapping[str, Tensor], key: int, sums: Sums | None = None) -> None:
        super().__init__(sums)
        self.public_size = account.schedule.public_size
        self._divisor, self._key = account.schedule.expected_batch_size, key
        steps = account.schedule.steps
        self._multipliers = [privacy.noise.multiplier(account.noise_multiplier, step, steps) for step in range(steps)]
        self._rule, self._bound = privacy.clipping.rule, privacy.clipping.rule.begin()
        self._source = NoiseSource(key, trained, privacy.noise.coefficients)

    @property
    def kept(self) -> dict[str, float]:
        """A clip norm that adapts. It follows from a count with noise, which is charged."""
        return {"clip_norm": self._bound.clip_norm} if isinstance(self._bound, Adapting) else {}

    @kept.setter
    def kept(self, values: Mapping[str, float]) -> None:
        if isinstance(self._bound, Adapting) and "clip_norm" in values:
            self._bound.clip_norm = values["clip_norm"]

    def begin(self, sent: Sequence[Tensor], asked: Asked) -> Total:
        """A sum of contributions that are clipped as this round clips."""
        return self.sums.begin(sent, asked, self.rule, self._divisor)

    @property
    def rule(self) -> ClipRule:
        """The rule of a round as devices know it: of one that adapts its clip norm now."""
        if not isinstance(self._bound, Adapting):
            return self._rule
        found = CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": self._bound.clip_norm})
        assert isinstance(found, ClipRule)
        return found

    def deviation(self, round: int) -> float:
        """Of the noise on each number of the sum."""
        multiplier = self._multipliers[round]
        return self._bound.sensitivity * self._rule.sum_multiplier(multiplier, self._divisor)

    @torch.no_grad()
    def end(self, total: Total, round: int) -> list[Tensor] | None:
        """Add noise, divide, go on to the next clip norm."""
        sums, noise = total.sum(), self._source(round, self.deviation(round))
        for part, drawn in zip(sums, noise.values(), strict=True):
            part.add_(drawn).div_(self._divisor)
        if isinstance(self._bound, Adapting):
            self._bound.balance = total.unclipped - total.received / 2
            draw = float(numpy_generator(self._key, "count", round).standard_normal())
            self._bound.move(draw, self._multipliers[round], self._divisor)
        return sums
