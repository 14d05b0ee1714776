"""bf16 autocast for torch.func: torch's own casts below the level at which its gradients are recorded, and their backward passes fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

LOWERED: frozenset[Callable[..., Any]] = frozenset(
    {
        functional.linear,
        functional.scaled_dot_product_attention,
        torch.addmm,
        torch.baddbmm,
        torch.bmm,
        torch.matmul,
        torch.mm,
        Tensor.__matmul__,
        Tensor.bmm,
        Tensor.matmul,
        Tensor.mm,
    }
)
"""Products of matrices: computed in bf16."""
RAISED: frozenset[Callable[..., Any]] = frozenset({functional.layer_norm, functional.softmax, torch.softmax, Tensor.softmax})
"""Computed in float32, as torch's autocast does on a GPU."""
WIDENED: frozenset[Callable[..., Any]] = frozenset({torch.addcmul, torch.addcdiv})
"""Take one number format: the widest of what they are given."""


class FunctionalAutocast(TorchFunctionMode):
    """Inside, products of matrices are computed in bf16. The casts are operations like any other, so every transform of torch.func sees them."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Cast what a function is given, then call it."""
        given = (args, dict(kwargs or {}))
        if func in LOWERED:
            given = _cast(given, torch.bfloat16)
        elif func in RAISED or (func in WIDENED and torch.float32 in _formats(args)):
            given = _cast(given, torch.float32)
        return func(*given[0], **given[1])


def _cast(given: tuple[tuple[Any, ...], dict[str, Any]], to: torch.dtype) -> tuple[tuple[Any, ...], dict[str, Any]]:
    found: tuple[tuple[Any, ...], dict[str, Any]] = tree_map_only(Tensor, lambda value: value.to(to) if value.is_floating_point() else value, given)
    return found


def _formats(args: Iterable[Any]) -> set[torch.dtype]:
    return {value.dtype for value in args if isinstance(value, Tensor)}
