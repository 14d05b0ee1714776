"""What a device hands over: its weighted update, made as short as it must be. The same arithmetic wherever a device is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tasks.privacy.clip_rule import ClipRule


@dataclass(frozen=True)
class Contribution:
    """What leaves a device.

    Args:
        tensors: its weighted update, clipped where there is a rule, in the order of the trained weights.
        unclipped: whether the rule left it as it was; True without one. Of a private training it is private, too.
    """

    tensors: list[Tensor]
    unclipped: bool = True


@torch.no_grad()
def contribution(trained: Sequence[Tensor], sent: Sequence[Tensor], scale: float, rule: ClipRule | None = None) -> Contribution:
    """scale x (trained - sent), float32, made as short as the rule says: a weight is inside the clip, so that it cannot make a device count for more.

    Args:
        trained, sent: weights after and before the local training.
        scale: what the update is multiplied with.
        rule: how long it may be, or any length.
    """
    update = [after.detach() - before for after, before in zip(trained, sent, strict=True)]
    if rule is None:
        return Contribution([part.mul_(scale) for part in update])
    norm = abs(scale) * length(update)
    if not math.isfinite(norm):  # a device whose training left the numbers gives nothing, as nobody may stop a round
        return Contribution([torch.zeros_like(part) for part in update], unclipped=False)
    factor = float(rule.factors(torch.tensor([norm], dtype=torch.float64)))
    return Contribution([part.mul_(scale * factor) for part in update], norm <= rule.sensitivity)


def length(update: Sequence[Tensor]) -> float:
    """L2 norm over all weights."""
    return float(torch.stack([torch.linalg.vector_norm(part, dtype=torch.float64) for part in update]).norm())
