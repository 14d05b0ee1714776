"""Lessons: the windows of all training texts and of their reversals, and which place of one has seen the same words as which place of the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.models.batches import padded
from tasks.text.alignment import NOWHERE, Twin, twins
from tasks.text.reversal import Reversed, Reverser
from tasks.text.tokenizer import TextEncoder

OF_TEXTS = "texts: "
"""Begins the facts on what became of texts."""
TENSORS, FACTS = "lessons.safetensors", "lessons.json"
ORIGINAL, REVERSED = 0, 1
NONE, ITSELF, OTHER = 0, 1, 2
_COUNTERPARTS = {"none": NONE, "itself": ITSELF, "reversed": OTHER}


@dataclass(frozen=True)
class Lessons:
    """Windows in the order of the records: of each its own, then those of its reversal.

    Args:
        ids: (W, L) every distinct window, padded at the end.
        lengths: (W,)
        window: (N,) which window a lesson is.
        other: (N,) the window of its counterpart.
        places: (N, L - 1) for each place of a lesson the place of the other window that has seen the same words, or -1.
        counterpart: (N,) ``NONE``, ``ITSELF`` or ``OTHER``.
        side: (N,) ``ORIGINAL`` or ``REVERSED``.
        records: (N,) the record.
        facts: texts by what became of them, and places by whether they have a counterpart.
    """

    ids: Tensor
    lengths: Tensor
    window: Tensor
    other: Tensor
    places: Tensor
    counterpart: Tensor
    side: Tensor
    records: Tensor
    facts: dict[str, int]

    def chosen(self, apply_to: str) -> Tensor:
        """(N,) bool: the lessons on the texts (``original``), on their reversals where a text has one (``augmented``), or ``both``."""
        if apply_to == "both":
            return torch.ones_like(self.side, dtype=torch.bool)
        if apply_to == "original":
            return self.side == ORIGINAL
        return (self.side == REVERSED) | (self.counterpart != OTHER)

    def save(self, folder: Path) -> None:
        """Write tensors and facts."""
        tensors = {name: value.to(torch.int32) for name, value in vars(self).items() if isinstance(value, Tensor)}
        save_file(tensors, str(folder / TENSORS))
        (folder / FACTS).write_text(json.dumps(self.facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Lessons:
        """What ``save`` wrote."""
        tensors = load_file(str(folder / TENSORS))
        return cls(**{name: value.long() for name, value in tensors.items()}, facts=json.loads((folder / FACTS).read_text()))


def make_lessons(texts: Sequence[str], encoder: TextEncoder, reverser: Reverser, progress: Callable[[float, float], None]) -> Lessons:
    """The lessons of all texts. A window that stands twice is kept once."""
    windows: dict[tuple[int, ...], int] = {}
    made: list[tuple[int, int, Twin]] = []
    texts_by: Counter[str] = Counter()
    for record, text in enumerate(texts):
        found = reverser.reverse(text)
        texts_by["reversed" if isinstance(found, Reversed) else found] += 1
        made += [(record, ORIGINAL, twin) for twin in twins(encoder, text, found)]
        if isinstance(found, Reversed):
            back = reverser.reverse(found.text)
            made += [(record, REVERSED, twin) for twin in twins(encoder, found.text, back)]
        if record % 500 == 0:
            progress(record, len(texts))
    for _, _, twin in made:
        for ids in (twin.ids, twin.other):
            windows.setdefault(ids, len(windows))
    rows, lengths = padded(list(windows), encoder.pad_id)
    places, _ = padded([twin.places for _, _, twin in made], NOWHERE)
    own = [place for _, side, twin in made if side == ORIGINAL and twin.counterpart == "reversed" for place in twin.places]
    facts = {**{OF_TEXTS + name: count for name, count in sorted(texts_by.items())}, "places of reversed texts": len(own)}
    return Lessons(
        ids=rows,
        lengths=lengths,
        window=torch.tensor([windows[twin.ids] for _, _, twin in made]),
        other=torch.tensor([windows[twin.other] for _, _, twin in made]),
        places=places,
        counterpart=torch.tensor([_COUNTERPARTS[twin.counterpart] for _, _, twin in made]),
        side=torch.tensor([side for _, side, _ in made]),
        records=torch.tensor([record for record, _, _ in made]),
        facts=facts | {"places without a counterpart": own.count(NOWHERE)},
    )
