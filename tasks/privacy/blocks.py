"""Blocks: the weights of one layer, clipped by themselves to their share of the bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

LayerScales = Literal["none", "equal", "by-shape"]
"""How a bound C is divided: not at all; C / sqrt(L) for each of L layers; C times the root of the layer's share of all trained numbers."""


def blocks_of(trained: Mapping[str, Tensor], scales: LayerScales) -> tuple[list[tuple[str, ...]], list[float]]:
    """The names of each block and its scale s; the squares of all scales add up to 1, so that a contribution is C long at most."""
    if scales == "none":
        return [tuple(trained)], [1.0]
    layers: dict[str, list[str]] = {}
    for name in trained:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    sizes = [sum(trained[name].numel() for name in names) if scales == "by-shape" else 1 for names in layers.values()]
    return [tuple(names) for names in layers.values()], [math.sqrt(size / sum(sizes)) for size in sizes]
