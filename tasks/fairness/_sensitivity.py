"""How much a classifier's answers move with each word: Jacobians of its outputs by the vectors of its input tokens, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.fairness._contexts import WORD
from tasks.models.batches import network_inputs
from tasks.models.probing import Probe

Floats = NDArray[np.float64]
Norm = Literal[1, 2, "signed"]
Output = Literal["probability", "logit"]
Pooling = Literal["sum", "mean", "max"]
TOKENS = 4096
"""The most tokens of a batch: the states of all layers are kept for the way back."""


def words_of(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The words and signs of a text, and where each stands."""
    found = list(WORD.finditer(text))
    return [match.group(0) for match in found], [match.span() for match in found]


def token_sensitivities(probe: Probe, rows: Sequence[Sequence[int]], norm: Norm, output: Output, report: Any = None) -> tuple[list[Floats], Floats]:
    """How much each output moves with each token: for row i (C, L_i), and the probabilities (N, C).

    Entry (k, t) is the 1- or 2-norm of d f_k / d e_t, or, ``signed``, its dot product with e_t, for f the probabilities or the logits and e the
    input vectors. Rows do not touch each other, so one vector-Jacobian product serves a whole batch: C of them for logits, C - 1 for probabilities,
    which sum to 1.
    """
    found: list[Floats] = [np.zeros(0)] * len(rows)
    chances = np.zeros((len(rows), len(probe.shape.labels)))
    for chosen, batch in probe.batches(rows, report, TOKENS):
        with captured(probe) as leaves:
            logits: Tensor = probe.network(**network_inputs(batch))["intent"]
            chance = logits.softmax(dim=-1)
            gradients = _jacobian(chance if output == "probability" else logits, leaves[0], summing=output == "probability")
        sizes = _sizes(gradients, leaves[0], norm).double().cpu().numpy()
        chances[chosen.numpy()] = chance.detach().double().cpu().numpy()
        for place, row in enumerate(chosen.tolist()):
            found[row] = sizes[:, place, : len(rows[row])].copy()
    return found, chances


def word_sensitivities(
    probe: Probe, sentences: Sequence[Sequence[str]], norm: Norm, output: Output, pooling: Pooling, report: Any = None
) -> tuple[list[Floats], Floats]:
    """The same by word: for sentence i (C, W_i) over the tokens of each word, 0 for a word that was cut off; and the probabilities (N, C).

    Marks of the tokenizer and padding are no words.
    """
    encoded = [probe.word_ids(sentence) for sentence in sentences]
    tokens, chances = token_sensitivities(probe, [ids for ids, _ in encoded], norm, output, report)
    return [_by_word(sizes, spans, pooling) for sizes, (_, spans) in zip(tokens, encoded, strict=True)], chances


@contextmanager
def captured(probe: Probe) -> Iterator[list[Tensor]]:
    """The input vectors of the next pass, as a leaf that gradients can be asked for; weights ask for none."""
    leaves: list[Tensor] = []

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    weights = [weight for weight in probe.network.parameters() if weight.requires_grad]
    handle = probe.reading.register_forward_hook(hook)
    for weight in weights:
        weight.requires_grad_(False)
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # its recurrent kernels have no way back outside training
            yield leaves
    finally:
        handle.remove()
        for weight in weights:
            weight.requires_grad_(True)


def _jacobian(outputs: Tensor, leaf: Tensor, summing: bool) -> list[Tensor]:
    """(B, L, H) for each output (B, C)."""
    asked = outputs.shape[1] - summing
    found = [torch.autograd.grad(outputs[:, k].sum(), leaf, retain_graph=k < asked - 1)[0] for k in range(asked)]
    return [*found, -torch.stack(found).sum(dim=0)] if summing else found


def _sizes(gradients: Sequence[Tensor], leaf: Tensor, norm: Norm) -> Tensor:
    """(C, B, L)."""
    if norm == "signed":
        return torch.stack([(gradient * leaf.detach()).sum(dim=-1) for gradient in gradients])
    return torch.stack([gradient.norm(p=norm, dim=-1) for gradient in gradients])


def _by_word(sizes: Floats, spans: Sequence[tuple[int, int]], pooling: Pooling) -> Floats:
    reduce: Any = {"sum": np.sum, "mean": np.mean, "max": np.max}[pooling]
    found = np.zeros((len(sizes), len(spans)))
    for word, (start, end) in enumerate(spans):
        if end > start:
            found[:, word] = reduce(sizes[:, start:end], axis=1)
    return found


def accumulated(sizes: Floats, classes: Floats, protected: Floats) -> tuple[float, float]:
    """w^T |J| v of one text, and w^T |J| 1: sizes (C, W), class weights (C,), protectedness of words (W,)."""
    weighted = classes @ sizes
    return float(weighted @ protected), float(weighted.sum())
