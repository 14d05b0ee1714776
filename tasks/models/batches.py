"""From records to tensors: a split is encoded once, then cut into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tasks.models.masking import IGNORED, Masking
from tasks.models.model import TaskShape
from tasks.text.tokenizer import TextEncoder

if TYPE_CHECKING:
    import pandas as pd

    from tasks.models.losses import ExampleLoss


LOGITS = 6_000_000
"""Of a batch that is only asked, on a processor: more leave its cache, and a pass takes twice as long."""


@dataclass(frozen=True)
class Encoded:
    """A split as tensors on the processor.

    Attributes:
        ids: (N, L) long, padded at the end.
        lengths: (N,) long.
        pad_id: what pads.
        labels: (N,) long, where the task has an intent.
        slots: (N, L) long, -100 where no word begins, where the task has slots.
        words: (N, L) long, the index of the word that begins here or -1, where the task has slots.
        masking: how tokens are hidden, where the task is to guess them.
        loss: what the network loses on each example, from logits and batch; None: what the task is usually trained with.
        records: (N,) long, the record that an example is of: windows of one text share it.
        starts, ends: (N,) long, the first and the last token of the answer, where the task is to find it; 0 for one that was cut off.
        spans: (N, L, 2) long, from and up to which character of its passage a token is, or -1, where the task is to find an answer.
        written: (N, T) long, what is to be written, -100 beyond its end, where the task is to write.
        users: (N,) long, the user that an example is of, where a training asks for users.
        numbers: (N,) long, by which an example's hidden tokens are drawn; None: its place.
    """

    ids: Tensor
    lengths: Tensor
    pad_id: int
    records: Tensor
    labels: Tensor | None = None
    slots: Tensor | None = None
    words: Tensor | None = None
    starts: Tensor | None = None
    ends: Tensor | None = None
    spans: Tensor | None = None
    written: Tensor | None = None
    masking: Masking | None = None
    loss: ExampleLoss | None = None
    users: Tensor | None = None
    numbers: Tensor | None = None

    def __len__(self) -> int:
        return int(self.ids.shape[0])

    def batch(self, indices: Sequence[int] | Tensor, device: str = "cpu", draw: int = 0) -> dict[str, Tensor]:
        """Examples by index, padded to the longest of them: what a network takes, and what a loss compares with. ``draw`` decides hidden tokens."""
        chosen = torch.as_tensor(indices, dtype=torch.long)
        longest = int(self.lengths[chosen].max()) if len(chosen) else 1
        positions = torch.arange(longest).expand(len(chosen), longest)
        found = {
            "input_ids": self.ids[chosen, :longest],
            "attention_mask": positions < self.lengths[chosen].unsqueeze(1),
            "position_ids": positions,
        }
        if self.masking is not None:
            numbers = chosen if self.numbers is None else self.numbers[chosen]
            found["input_ids"], found["targets"] = self.masking.hide(found["input_ids"], found["attention_mask"], numbers, draw)
        if self.labels is not None:
            found["labels"] = self.labels[chosen]
        if self.slots is not None:
            found["slots"] = self.slots[chosen, :longest]
        if self.spans is not None and self.starts is not None and self.ends is not None:
            found["starts"], found["ends"] = self.starts[chosen], self.ends[chosen]
            found["choices"] = (self.spans[chosen, :longest, 0] >= 0) | (positions == 0)
        if self.written is not None:
            targets = self.written[chosen]
            found["target_ids"] = targets[:, : max(1, int((targets != IGNORED).sum(dim=1).max()))] if len(chosen) else targets
        return {name: tensor.to(device, non_blocking=True) for name, tensor in found.items()}


def network_inputs(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The part of a batch that a network takes; one that writes is told what came before each token of its target, and is asked for that."""
    return {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids", "target_ids") if name in batch}


def encode_split(records: pd.DataFrame, encoder: TextEncoder, shape: TaskShape) -> Encoded:
    """A split's records as tensors. Raises ValueError for a label that was not declared."""
    if shape.task == "mlm":
        masking = Masking.of(encoder)
        pieces = [(index, ids) for index, text in enumerate(records["text"]) for ids in _whole(encoder, text)]
        ids, lengths = padded([ids for _, ids in pieces], encoder.pad_id)
        return Encoded(ids, lengths, encoder.pad_id, torch.tensor([index for index, _ in pieces], dtype=torch.long), masking=masking)
    if shape.task == "lm":
        windows = [(index, ids) for index, text in enumerate(records["text"]) for ids in encoder.windows(text)]
        ids, lengths = padded([ids for _, ids in windows], encoder.pad_id)
        return Encoded(ids, lengths, encoder.pad_id, torch.tensor([index for index, _ in windows], dtype=torch.long))
    if shape.task == "qa":
        return _asked(records, encoder)
    words = None
    if shape.slots:
        encoded = encoder.encode_words(records["tokens"].tolist())
        rows = [ids for ids, _ in encoded]
        words, _ = padded([index for _, index in encoded], -1)
    else:
        rows = encoder.encode(records["text"].tolist())
    ids, lengths = padded(rows, encoder.pad_id)
    labels = _labels(records["label"].tolist(), shape.labels) if shape.labels else None
    slots = _tags(records["slots"].tolist(), words, shape.slots) if words is not None else None
    written = _written(records["target"].tolist(), encoder) if shape.task == "seq2seq" else None
    return Encoded(ids, lengths, encoder.pad_id, torch.arange(len(records)), labels, slots, words, written=written)


def _asked(records: pd.DataFrame, encoder: TextEncoder) -> Encoded:
    """Question and passage in one sequence, the passage cut where it does not fit. An answer that was cut off, wholly or in part, stands at the first token,
    which is of no passage (as Devlin et al., NAACL 2019, do with windows that do not hold the answer).
    """
    pairs = [encoder.pair(question, context) for question, context in zip(records["text"], records["context"], strict=True)]
    ids, lengths = padded([ids for ids, _ in pairs], encoder.pad_id)
    begins, _ = padded([[begin for begin, _ in spans] for _, spans in pairs], -1)
    stops, _ = padded([[stop for _, stop in spans] for _, spans in pairs], -1)
    first = torch.tensor(records["answer_start"].to_numpy(dtype=np.int64)).unsqueeze(1)
    last = first + torch.tensor([len(answer) for answer in records["answer"]], dtype=torch.long).unsqueeze(1)
    inside = (begins >= 0) & (begins < last) & (stops > first)
    reached = (stops.amax(dim=1, keepdim=True) >= last) & inside.any(dim=1, keepdim=True)
    places = torch.arange(ids.shape[1])
    starts = torch.where(inside & reached, places, ids.shape[1]).amin(dim=1)
    ends = torch.where(inside & reached, places, 0).amax(dim=1)
    starts = torch.where(reached.squeeze(1), starts, 0)
    spans = torch.stack([begins, stops], dim=-1)
    return Encoded(ids, lengths, encoder.pad_id, torch.arange(len(records)), starts=starts, ends=ends, spans=spans)


def _written(texts: Sequence[str], encoder: TextEncoder) -> Tensor:
    """(N, T) the ids of what is to be written, cut at ``max_tokens``, its end mark counted; a begin mark that the decoder is given is not written."""
    rows = encoder.encode(texts)
    begun = [row[1:] if len(row) > 1 and tuple(row[:1]) == encoder.head else row for row in rows]
    return padded(begun, IGNORED)[0]


def _whole(encoder: TextEncoder, text: str) -> list[list[int]]:
    """A text with the tokenizer's marks where it fits, else in windows: what a masked model is asked about later has its marks too."""
    ids = encoder.encode([text])[0]
    return [ids] if len(ids) < encoder.max_tokens else encoder.windows(text)


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Rows as one table (N, L), padded at the end, and their lengths."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = np.full((len(rows), int(lengths.max(initial=0)) if len(rows) else 1), pad, dtype=np.int64)
    flat[np.arange(flat.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    return torch.from_numpy(flat), torch.from_numpy(lengths)


def _labels(values: Sequence[str], declared: Sequence[str]) -> Tensor:
    known = {label: index for index, label in enumerate(declared)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"labels that the model was not declared with: {', '.join(unknown[:5])}")
    return torch.tensor([known[value] for value in values], dtype=torch.long)


def _tags(sentences: Sequence[Sequence[str]], words: Tensor, declared: Sequence[str]) -> Tensor:
    known = {tag: index for index, tag in enumerate(declared)}
    rows = [[known[sentence[word]] if word >= 0 else IGNORED for word in places] for sentence, places in zip(sentences, words.tolist(), strict=True)]
    return torch.tensor(rows, dtype=torch.long).reshape(words.shape)
