"""L2 norms of gradients, exact to a few times the rounding of fp32, however many numbers there are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

CHUNK = 256
"""So few squares may be added up in fp32. On processors torch adds them one after the other: a norm of 50 million equal numbers comes out 3% too small."""


def norms_of(gradients: Iterable[Tensor]) -> Tensor:
    """(B,) fp32 L2 norm of each example over all weights, from per-example gradients (B, ...)."""
    return together([norm_of(value) for value in gradients])


def together(norms: list[Tensor]) -> Tensor:
    """(B,) fp32 from the norms (B,) of every weight."""
    found: Tensor = torch.stack([norm.double() for norm in norms]).norm(dim=0)
    return found.float()


def norm_of(gradients: Tensor) -> Tensor:
    """(B,) fp64 norms of gradients (B, ...): of chunks in fp32, of the chunks' norms in fp64."""
    rows = gradients.flatten(1)
    whole = rows.shape[1] - rows.shape[1] % CHUNK
    chunks = rows[:, :whole].float().reshape(len(rows), whole // CHUNK, CHUNK)
    parts = [torch.linalg.vector_norm(chunks, dim=2), torch.linalg.vector_norm(rows[:, whole:].float(), dim=1, keepdim=True)]
    found: Tensor = torch.cat(parts, dim=1).double().norm(dim=1)
    return found
