"""What a teacher says of windows, and what a student shall learn from it: asked at each step, or worked out once and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import NONE, OTHER, Lessons
from tasks.distillation.vocabulary import GroupVocabulary
from tasks.models.batches import LOGITS, Encoded, network_inputs

KEPT = "targets.safetensors"
TOKENS = 8_192
"""Of a batch when all lessons are worked out."""


@dataclass(frozen=True)
class Target:
    """What a student shall say after each place of some lessons.

    Args:
        values: (B, L - 1, K) logarithms, of all V tokens or of K likely ones; not normalised where they are of all.
        tokens: (B, L - 1, K) which tokens; None where all.
        rest: (B, L - 1) the log-probability of each other token.
        states: (B, L - 1, H) the teacher's states after the lesson itself, where it is asked for them.
    """

    values: Tensor
    tokens: Tensor | None = None
    rest: Tensor | None = None
    states: Tensor | None = None


class Targets(Protocol):
    """Tells what to learn."""

    def of(self, which: Tensor, longest: int) -> Target:
        """Of lessons by number, (B,), up to a length."""
        ...


class AskedTeacher:
    """A network that is asked at each step about the lessons and their counterparts in one pass.

    Args:
        network: a causal language model, in evaluation mode on the device.
        lessons: the windows.
        how: how what it says is combined.
        vocabulary: the words of groups, on the device.
        device: where all are.
    """

    def __init__(self, network: nn.Module, lessons: Lessons, how: Distillation, vocabulary: GroupVocabulary, device: str) -> None:
        self._network, self.device, self._how, self.vocabulary = network.requires_grad_(False), device, how, vocabulary
        self._network.tell_states = how.weights.hidden > 0  # type: ignore[assignment]
        self._lessons = lessons
        self._windows = Encoded(lessons.ids, lessons.lengths, 0, torch.arange(len(lessons.ids)))

    @torch.no_grad()
    def of(self, which: Tensor, longest: int) -> Target:
        """As of ``Targets``, of all tokens."""
        lessons, combiner = self._lessons, self._how.combiner
        counterpart = lessons.counterpart[which]
        reversed_rows = (counterpart == OTHER).nonzero().squeeze(1) if combiner.reads_reversal else torch.zeros(0, dtype=torch.long)
        asked = torch.cat([lessons.window[which], lessons.other[which[reversed_rows]]])
        found = self._network(**network_inputs(self._windows.batch(asked, self.device)))
        said = found["lm"].float().log_softmax(dim=-1)
        own = said[: len(which), : longest - 1]
        states = found["states"][: len(which), : longest - 1] if "states" in found else None
        changed = (counterpart != NONE) if self._how.swap_output_vocab else (counterpart == OTHER)
        if not combiner.reads_reversal or not bool(changed.any()):
            return Target(own, states=states)
        other = self._other(own, said, which, reversed_rows, longest)
        return Target(self._combined(own, other, changed), states=states)

    def _other(self, own: Tensor, said: Tensor, which: Tensor, reversed_rows: Tensor, longest: int) -> Tensor:
        """(B, L - 1, V) what is said after the reversal, at the places that have seen the same words; a text that is its own reversal says its own."""
        at = self._lessons.places[which[reversed_rows], : longest - 1].clamp(min=0).to(self.device)
        rows = torch.arange(len(which), len(which) + len(reversed_rows), device=self.device).unsqueeze(1)
        moved = said[rows, at]
        if len(reversed_rows) == len(which):
            return moved
        other = own.clone()
        other[reversed_rows.to(self.device)] = moved
        return other

    def _combined(self, own: Tensor, other: Tensor, changed: Tensor) -> Tensor:
        kept, moved = self.vocabulary.reversed(own, other) if self._how.swap_output_vocab else (own, other)
        mixed = self._how.combiner.combine(kept, moved)
        if self._how.restrict_to_gendered_vocab:
            mixed = torch.where(self.vocabulary.gendered, mixed, kept)
        return mixed if bool(changed.all()) else torch.where(changed.to(self.device)[:, None, None], mixed, own)


class StoredTargets:
    """Targets read from the store.

    Args:
        folder: where ``store`` wrote them.
        device: where answers go.
    """

    def __init__(self, folder: Path, device: str) -> None:
        kept = load_file(str(folder / KEPT))
        self._values, self._tokens, self._rest = kept["values"], kept.get("tokens"), kept.get("rest")
        self._starts, self._counts, self._device = kept["starts"], kept["counts"], device

    def of(self, which: Tensor, longest: int) -> Target:
        """As of ``Targets``. Places past a lesson's end hold those of another's: they are not learnt from."""
        places = torch.arange(longest - 1)
        inside = places < self._counts[which].unsqueeze(1)
        rows = torch.where(inside, self._starts[which].unsqueeze(1) + places, 0)
        tokens = self._tokens[rows].long().to(self._device) if self._tokens is not None else None
        rest = self._rest[rows].to(self._device) if self._rest is not None else None
        return Target(self._values[rows].to(self._device), tokens, rest)


def size_mib(places: int, vocabulary: int, top_k: int | None) -> float:
    """What storing the targets of so many places takes, in MiB."""
    return places * (4 * vocabulary if top_k is None or top_k >= vocabulary else 8 * top_k + 4) / 2**20


@torch.no_grad()
def store(asked: AskedTeacher, lessons: Lessons, chosen: Tensor, top_k: int | None, folder: Path, progress: Callable[[float, float], None]) -> None:
    """Work out the targets of the lessons ``chosen`` (N,) bool once; write log-probabilities of all tokens, or of the ``top_k`` likeliest and of each other."""
    lengths = lessons.lengths[lessons.window]
    counts = torch.where(chosen, lengths - 1, 0)
    starts = torch.cumsum(counts, 0) - counts
    which = chosen.nonzero().squeeze(1)
    order = which[torch.argsort(lengths[which], stable=True)]
    kept: dict[str, Tensor] = {}
    done, tokens = 0, min(TOKENS, LOGITS // len(asked.vocabulary.gendered)) if asked.device == "cpu" else TOKENS
    while done < len(order):
        size = max(1, tokens // int(lengths[order[min(done + tokens // 64, len(order) - 1)]]))
        part = order[done : done + size]
        longest = int(lengths[part].max())
        found = asked.of(part, longest).values.log_softmax(dim=-1).cpu()
        inside = torch.arange(longest - 1) < counts[part].unsqueeze(1)
        rows = (starts[part].unsqueeze(1) + torch.arange(longest - 1))[inside]
        for name, values in _kept(found[inside], top_k).items():
            if name not in kept:
                kept[name] = torch.zeros((int(counts.sum()), *values.shape[1:]), dtype=values.dtype)
            kept[name][rows] = values
        done += len(part)
        progress(done, len(order))
    save_file({**kept, "starts": starts, "counts": counts}, str(folder / KEPT))


def _kept(log_probs: Tensor, top_k: int | None) -> dict[str, Tensor]:
    """(P, V) as it is stored."""
    vocabulary = log_probs.shape[-1]
    if top_k is None or top_k >= vocabulary:
        return {"values": log_probs.contiguous()}
    values, tokens = log_probs.topk(top_k, dim=-1)
    left = (1 - values.double().exp().sum(dim=-1)).clamp(min=1e-30) / (vocabulary - top_k)
    return {"values": values.contiguous(), "tokens": tokens.to(torch.int32).contiguous(), "rest": left.log().float()}
