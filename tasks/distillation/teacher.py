"""What a teacher says of windows: asked at each step, or computed once and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tasks.distillation.lessons import Lessons
from tasks.models.batches import Encoded, network_inputs

KEPT = "log_probs.safetensors"
TOKENS = 8_192
"""Of a batch when all windows are asked about."""


@dataclass(frozen=True)
class Said:
    """What a teacher says of some windows: log-probabilities (B, L - 1, V) of the token after each place and, where it is asked at once, states (B, L - 1, H)."""

    log_probs: Tensor
    states: Tensor | None = None


class Teacher(Protocol):
    """Tells what comes next."""

    def ask(self, windows: Tensor, longest: int) -> Said:
        """Of windows by number, (B,), up to a length."""
        ...


class OnlineTeacher:
    """A network that is asked at each step, all windows of a step in one pass.

    Args:
        network: a causal language model, in evaluation mode on the device.
        lessons: the windows.
        device: where it is.
        states: whether its states are wanted too.
    """

    def __init__(self, network: nn.Module, lessons: Lessons, device: str, states: bool = False) -> None:
        self._network, self._device = network.requires_grad_(False), device
        self._network.tell_states = states  # type: ignore[assignment]
        self._encoded = Encoded(lessons.ids, lessons.lengths, 0, torch.arange(len(lessons.ids)))

    @torch.no_grad()
    def ask(self, windows: Tensor, longest: int) -> Said:
        """One forward pass over the distinct windows."""
        distinct, back = torch.unique(windows, return_inverse=True)
        batch = self._encoded.batch(distinct, self._device)
        found = self._network(**network_inputs(batch))
        log_probs = _fitted(found["lm"].float().log_softmax(dim=-1), longest)
        states = _fitted(found["states"], longest) if "states" in found else None
        back = back.to(self._device)
        return Said(log_probs[back], states[back] if states is not None else None)


class StoredTeacher:
    """Log-probabilities read from the store.

    Args:
        folder: where ``store`` wrote them.
        lessons: the windows.
        vocabulary: number of tokens.
        device: where answers go.
    """

    def __init__(self, folder: Path, lessons: Lessons, vocabulary: int, device: str) -> None:
        kept = load_file(str(folder / KEPT))
        self._values, self._tokens, self._rest = kept["values"], kept.get("tokens"), kept.get("rest")
        self._starts = torch.cumsum(lessons.lengths - 1, 0) - (lessons.lengths - 1)
        self._lengths, self._vocabulary, self._device = lessons.lengths, vocabulary, device

    def ask(self, windows: Tensor, longest: int) -> Said:
        """The kept rows; those of tokens that were not kept share evenly what is left."""
        places = torch.arange(longest - 1)
        inside = places < (self._lengths[windows] - 1).unsqueeze(1)
        rows = torch.where(inside, self._starts[windows].unsqueeze(1) + places, 0)
        values = self._values[rows].float().to(self._device)
        if self._tokens is None or self._rest is None:
            return Said(values)
        whole = self._rest[rows].to(self._device).unsqueeze(-1).expand(*rows.shape, self._vocabulary).contiguous()
        return Said(whole.scatter_(-1, self._tokens[rows].long().to(self._device), values))


def size_mib(lessons: Lessons, vocabulary: int, top_k: int | None) -> float:
    """What storing everything takes, in MiB."""
    places = int((lessons.lengths - 1).sum())
    each = 4 * vocabulary if top_k is None or top_k >= vocabulary else 8 * top_k + 4
    return places * each / 2**20


@torch.no_grad()
def store(network: nn.Module, lessons: Lessons, top_k: int | None, device: str, folder: Path, progress: Callable[[float, float], None]) -> None:
    """Ask about every window once; write log-probabilities of all tokens, or of the ``top_k`` likeliest and what is left for each other."""
    asked = OnlineTeacher(network, lessons, device)
    ends = torch.cumsum(lessons.lengths - 1, 0)
    total = int(ends[-1])
    kept: dict[str, Tensor] = {}
    order = torch.argsort(lessons.lengths, stable=True)
    start = 0
    while start < len(order):
        size = max(1, TOKENS // int(lessons.lengths[order[min(start + TOKENS // 64, len(order) - 1)]]))
        chosen = order[start : start + size]
        longest = int(lessons.lengths[chosen].max())
        found = asked.ask(chosen, longest).log_probs.cpu()
        inside = torch.arange(longest - 1) < (lessons.lengths[chosen] - 1).unsqueeze(1)
        rows = ((ends - lessons.lengths + 1)[chosen].unsqueeze(1) + torch.arange(longest - 1))[inside]
        for name, values in _kept(found[inside], top_k).items():
            if name not in kept:
                kept[name] = torch.zeros((total, *values.shape[1:]), dtype=values.dtype)
            kept[name][rows] = values
        start += len(chosen)
        progress(start, len(order))
    save_file(kept, str(folder / KEPT))


def _kept(log_probs: Tensor, top_k: int | None) -> dict[str, Tensor]:
    """(P, V) as it is stored."""
    vocabulary = log_probs.shape[-1]
    if top_k is None or top_k >= vocabulary:
        return {"values": log_probs.contiguous()}
    values, tokens = log_probs.topk(top_k, dim=-1)
    left = (1 - values.double().exp().sum(dim=-1)).clamp(min=1e-30) / (vocabulary - top_k)
    return {"values": values.contiguous(), "tokens": tokens.to(torch.int32).contiguous(), "rest": left.log().float()}


def _fitted(said: Tensor, longest: int) -> Tensor:
    """(B, longest - 1, ...): cut, or filled with zeros where no window reaches."""
    found = said[:, : longest - 1]
    return found if found.shape[1] == longest - 1 else nn.functional.pad(found, (0, 0, 0, longest - 1 - found.shape[1]))
