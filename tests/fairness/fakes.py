"""A probe whose probabilities a test decides, and small items in the shape of the published ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.core.measures import Measures, Row
from tasks.fairness._likelihoods import LikelihoodMetric
from tasks.fairness.metric import FAIRNESS
from tasks.models.artifact import save_model
from tasks.models.model import MODELS, Started, TaskShape
from tasks.models.probing import Probe
from tasks.text.tokenizer import TextEncoder

PAD, BEGIN, END, MASK = range(4)
NAMES = ["<pad>", "<begin>", "<end>", "<mask>"]
_WORD = re.compile(r"\w+|[^\w\s]")
Masked = Callable[[list[str], int, str], float]
Causal = Callable[[list[str], str], float]
TINY: dict[str, Any] = {"layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.0}


class WordEncoder(TextEncoder):
    """Words and punctuation, in pieces of ``longest`` letters of which later ones begin with ``##``; the vocabulary grows as it is asked."""

    def __init__(self, longest: int = 99, max_tokens: int = 64) -> None:
        self.pad_id, self.mask_id, self.mark_ids, self.max_tokens = PAD, MASK, frozenset(range(4)), max_tokens
        self.head, self.longest = (BEGIN,), longest
        self.names = list(NAMES)
        self.vocabulary_size = 1000

    def _ids(self, text: str) -> list[int]:
        pieces = []
        for word in _WORD.findall(text):
            parts = [word[start : start + self.longest] for start in range(0, len(word), self.longest)]
            pieces += [("##" if number else "") + part for number, part in enumerate(parts)]
        return [self.id(piece) for piece in pieces]

    def id(self, name: str) -> int:
        """Of a piece."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[BEGIN, *self._ids(text)[: self.max_tokens - 2], END] for text in texts]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> list[tuple[list[int], list[int]]]:
        raise NotImplementedError

    def pieces(self, text: str) -> tuple[list[int], list[int]]:
        ends = [min(start + self.longest, found.end()) for found in _WORD.finditer(text) for start in range(found.start(), found.end(), self.longest)]
        return self._ids(text), ends


class FakeProbe:
    """Answers with the test's functions: of a masked row, the place and the token wanted; of the tokens before, and the token that follows."""

    def __init__(self, masked: Masked | None = None, causal: Causal | None = None, encoder: TextEncoder | None = None) -> None:
        self.encoder = encoder or WordEncoder()
        self.masked, self.causal = masked, causal
        self.abilities = frozenset({"masked-lm"} if masked else {"causal-lm"} if causal else {"classifier"})
        self.asked: list[list[str]] = []

    def _said(self, row: Sequence[int]) -> list[str]:
        assert len(row) <= self.encoder.max_tokens
        return [self.encoder.names[index] for index in row]  # type: ignore[attr-defined]

    def masked_scores(self, rows: Sequence[Sequence[int]], places: Sequence[int], targets: Sequence[int], report: Any = None) -> NDArray[np.float64]:
        assert self.masked is not None
        self.asked += [self._said(row) for row in rows]
        found = []
        for row, place, target in zip(rows, places, targets, strict=True):
            assert row[place] == MASK
            found.append(self.masked(self._said(row), place, self._said([target])[0]))
        return np.asarray(found, dtype=float)

    def causal_scores(self, rows: Sequence[Sequence[int]], report: Any = None) -> list[NDArray[np.float64]]:
        assert self.causal is not None
        self.asked += [self._said(row) for row in rows]
        return [np.asarray([self.causal(said[:place], said[place]) for place in range(1, len(said))], dtype=float) for said in map(self._said, rows)]


@dataclass(frozen=True)
class BbqItem:
    id: str
    category: str
    question_index: str
    polarity: str
    ambiguous: bool
    context: str
    question: str
    options: tuple[str, str, str]
    unknown: int
    stereotyped: int | None
    label: int


@dataclass(frozen=True)
class WinoPair:
    id: str
    type: int
    split: str
    line: int
    pro: str
    anti: str


def metric(kind: str, **fields: Any) -> Any:
    """A metric of likelihoods by its kind."""
    found = FAIRNESS.parse({"kind": kind, **fields})
    assert isinstance(found, LikelihoodMetric)
    return found


def by_name(measures: Measures, prefix: str) -> dict[str, Row]:
    """Rows by what follows ``fairness/<prefix>/``."""
    return {row.name.removeprefix(f"fairness/{prefix}/"): row for row in measures.rows}


def held(row: Row) -> tuple[float, float]:
    """The ends of its interval."""
    assert row.low is not None and row.high is not None
    return row.low, row.high


def fair(row: Row) -> float:
    """The value of a row that has one."""
    assert row.status == "ok" and row.value is not None
    return row.value


def holds(row: Row, truth: float) -> bool:
    """Whether the interval holds a number."""
    return row.low is not None and row.high is not None and row.low <= truth <= row.high


def opened(folder: Path, kind: str, task: str, tokenizer: dict[str, Any] | None = None, seed: int = 3) -> Probe:
    """A tiny model with random weights, large ones so that its answers differ."""
    model: Any = MODELS.parse({"kind": kind, **TINY, "tokenizer": tokenizer or {"kind": "bytes", "max_tokens": 60}})
    folder.mkdir()
    started: Started = model.start(TaskShape(task), {}, seed)
    for weight in started.network.parameters():
        weight.data.mul_(12 if weight.dim() > 1 else 1)
    save_model(folder, started, TaskShape(task), {}, {})
    return Probe.open(folder)


def alone_masked(probe: Probe, row: Sequence[int], place: int, target: int) -> float:
    """Log p of one token of one row, asked of the network by itself."""
    return float(_logits(probe, row, "mlm")[place].log_softmax(dim=-1)[target])


def alone_causal(probe: Probe, row: Sequence[int]) -> list[float]:
    """Log p of each id after the first, asked of the network by itself."""
    logits = _logits(probe, row, "lm")
    return [float(logits[place - 1].log_softmax(dim=-1)[row[place]]) for place in range(1, len(row))]


def _logits(probe: Probe, row: Sequence[int], name: str) -> Any:
    import torch

    with torch.no_grad():
        found = probe.network(torch.tensor([list(row)]), torch.ones(1, len(row), dtype=torch.bool), torch.arange(len(row))[None])
    return found[name][0].double()


def log(value: float) -> float:
    """Natural logarithm."""
    return math.log(value)
