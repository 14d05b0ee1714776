"""Increased log probability: how much an attribute makes a target word more likely (Kurita et al., GeBNLP 2019)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.fairness._likelihoods import Request, Tokens, mask_of, masked, sequence_scores

if TYPE_CHECKING:
    from tasks.models.probing import Probe

Floats = NDArray[np.float64]
PriorSlot = Literal["target", "other"]
TARGET, ATTRIBUTE = "TARGET", "ATTRIBUTE"
_SLOTS = re.compile(f"({TARGET}|{ATTRIBUTE})")


@dataclass(frozen=True)
class Cell:
    """One template with one attribute word."""

    template: int
    group: str
    attribute: str


def cells_of(templates: Sequence[str], attributes: Mapping[str, Sequence[str]]) -> list[Cell]:
    """Every template with every attribute word, in their order."""
    return [Cell(index, group, word) for index in range(len(templates)) for group, words in attributes.items() for word in words]


def masked_table(
    probe: Probe, templates: Sequence[str], targets: Sequence[Sequence[str]], cells: Sequence[Cell], prior_slot: PriorSlot, report: Any = None
) -> Floats:
    """(N, T) log of p_tgt over p_prior per cell and target set; the words of a set add their p before the log.

    p_tgt: the target hidden, the attribute shown; p_prior: both hidden. A word of k tokens has k masks, filled from its first to its last, and its
    p is the product. ``prior_slot: other`` reads the prior at the attribute's mask and takes words of one token alone. NaN where a cell cannot be asked.
    """
    tokens, mask = Tokens(probe.encoder), mask_of(probe)
    asked: list[Request] = []
    spans: list[tuple[int, int]] = []
    for cell in cells:
        for words in targets:
            for word in words:
                for prior in (False, True):
                    requests = _chain(tokens, mask, templates[cell.template], word, cell.attribute, prior, prior_slot)
                    fits = bool(requests) and len(requests[0][0]) <= probe.encoder.max_tokens
                    spans.append((len(asked), len(asked) + (len(requests) if fits else 0)))
                    asked += requests if fits else []
    scores = masked(probe, asked, report)
    sums = np.asarray([scores[start:end].sum() if end > start else math.nan for start, end in spans]).reshape(len(cells), -1, 2)
    pooled = _pooled(sums, [len(words) for words in targets])
    return np.asarray(pooled[:, :, 0] - pooled[:, :, 1])


def causal_table(probe: Probe, templates: Sequence[str], targets: Sequence[Sequence[str]], cells: Sequence[Cell], report: Any = None) -> Floats:
    """(N, T) log p(attribute | target set) over p(attribute) per cell, from the likelihoods of whole sentences. NaN where a sentence is too long.

    Within a template p(target, attribute) is the likelihood of the sentence that has both, shared out over the given attributes and target words:
    p(a | t) divides the sentence with both by the sum over all attributes, p(a) does so with the target words of all sets. By Bayes' rule that is
    the ratio of p(t | a) to p(t), the masked form's, wherever in the sentence either stands.
    """
    tokens = Tokens(probe.encoder)
    texts = [tokens.of(filled(templates[cell.template], word, cell.attribute)) for cell in cells for words in targets for word in words]
    sums = np.asarray([math.nan if found is None else float(found.sum()) for found in sequence_scores(probe, tokens, texts, "kept", report)])
    joint = _pooled(sums.reshape(len(cells), -1, 1), [len(words) for words in targets])[:, :, 0]
    found = np.full(joint.shape, math.nan)
    for template in sorted({cell.template for cell in cells}):
        rows = np.asarray([cell.template == template for cell in cells]) & ~np.isnan(joint).any(axis=1)
        part = joint[rows]
        if len(part) < 2:
            continue
        attribute = np.logaddexp.reduce(part, axis=1) - np.logaddexp.reduce(part, axis=None)
        found[rows] = part - np.logaddexp.reduce(part, axis=0) - attribute[:, None]
    return found


def filled(template: str, target: str, attribute: str) -> str:
    """The template with both words."""
    return "".join(_pieces(template, target, attribute))


def _pieces(template: str, target: str, attribute: str) -> list[str]:
    words = {TARGET: target, ATTRIBUTE: attribute}
    return [words.get(piece, piece) for piece in _SLOTS.split(template)]


def _chain(tokens: Tokens, mask: int, template: str, target: str, attribute: str, prior: bool, prior_slot: PriorSlot) -> list[Request]:
    """One request per token of the target, its later tokens hidden too."""
    ids, ends = tokens.parts(*_pieces(template, target, attribute))
    order = _SLOTS.findall(template)
    start, end = (ends[2 * order.index(TARGET)], ends[2 * order.index(TARGET) + 1])
    low, high = (ends[2 * order.index(ATTRIBUTE)], ends[2 * order.index(ATTRIBUTE) + 1])
    row = list(ids)
    row[start:end] = [mask] * (end - start)
    if prior:
        row[low:high] = [mask] * (high - low)
    if prior_slot == "other":
        if end - start != 1:
            return []
        return [(tokens.framed(row), len(tokens.head) + (low if prior else start), ids[start])]
    return [(tokens.framed((*row[:start], *ids[start:at], *row[at:])), len(tokens.head) + at, ids[at]) for at in range(start, end)]


def _pooled(sums: Floats, sizes: Sequence[int]) -> Floats:
    """(N, T, D) log of the sum of exp over each target set's words, of (N, words, D)."""
    ends = np.cumsum(sizes)
    with np.errstate(invalid="ignore"):
        return np.stack([np.logaddexp.reduce(sums[:, end - size : end], axis=1) for size, end in zip(sizes, ends, strict=True)], axis=1)
