"""Randomness without history: every generator is made from (study seed, purpose, step, entity) by a counter-based hash.

No global generator is seeded and none is carried along, so 'restart at step k' equals 'a run that reached step k'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def derive(seed: int, purpose: str, step: int = 0, entity: int | str = 0) -> int:
    """A 63-bit seed that depends on nothing but its arguments (BLAKE2b)."""
    text = f"{seed}\x1f{purpose}\x1f{step}\x1f{entity}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, purpose: str, step: int = 0, entity: int | str = 0) -> np.random.Generator:
    """A Philox generator for one purpose."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=derive(seed, purpose, step, entity)))


def torch_generator(seed: int, purpose: str, step: int = 0, entity: int | str = 0, device: str = "cpu") -> torch.Generator:
    """A torch generator for one purpose on one device. Not cryptographic."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, purpose, step, entity))


@contextmanager
def torch_seeded(seed: int, purpose: str, step: int = 0, entity: int | str = 0, device: str = "cpu") -> Iterator[None]:
    """Inside, torch's default generators (which dropout and initialisers read) follow from the arguments; outside they are untouched."""
    import torch

    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(derive(seed, purpose, step, entity))
        yield


def uniform(seed: int, purpose: str, entity: int | str) -> float:
    """A number in [0, 1) for one entity: the coin of that entity."""
    return derive(seed, purpose, 0, entity) / 2**63
