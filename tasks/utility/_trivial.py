"""Trivial models: fitted on the training records, they say the same whatever the text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tasks.data.prepared import PreparedData
from tasks.models.artifact import load_model
from tasks.models.batches import Encoded, encode_split
from tasks.models.masking import IGNORED

MORE = tuple(2.0**power for power in range(-6, 17))


def trivial_answers(over: str, prepared: PreparedData, target: Path) -> pd.DataFrame:
    """The answers of a trivial model to the test records: ``predicted``, ``predicted_slots`` or ``loss``. Tokens are those of the model artifact ``target``."""
    train, test = prepared.split("train"), prepared.split("test")
    if over == "majority":
        return pd.DataFrame({"predicted": [commonest(train["label"])] * len(test)})
    if over in ("most-frequent-tag", "word-tags"):
        return pd.DataFrame({"predicted_slots": _tags(train, test, by_word=over == "word-tags")})
    loaded = load_model(target, "cpu")
    known, asked = (encode_split(records, loaded.encoder, loaded.shape) for records in (train, test))
    losses = target_losses(known, asked, loaded.encoder.vocabulary_size) if loaded.shape.task == "seq2seq" else span_losses(known, asked)
    return pd.DataFrame({"loss": losses})


def commonest(values: Iterable[str]) -> str:
    """The value that occurs most; of several the first by name."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _tags(train: pd.DataFrame, test: pd.DataFrame, by_word: bool) -> list[list[str]]:
    of_word: dict[str, list[str]] = defaultdict(list)
    for words, tags in zip(train["tokens"], train["slots"], strict=True):
        for word, tag in zip(words, tags, strict=True):
            of_word[word.casefold() if by_word else ""].append(tag)
    best = {word: commonest(tags) for word, tags in of_word.items()}
    rest = commonest(tag for tags in train["slots"] for tag in tags)
    return [[best.get(word.casefold() if by_word else "", rest) for word in words] for words in test["tokens"]]


def target_losses(known: Encoded, asked: Encoded, vocabulary: int) -> np.ndarray:
    """(N,) mean over a target's tokens of -log p, where p is a token's share among the known targets' tokens, ``smoothed``."""
    assert known.written is not None and asked.written is not None
    tokens = known.written[known.written != IGNORED]
    counts = smoothed(tokens, torch.full_like(tokens, vocabulary), vocabulary)
    nats = -(counts / counts.sum()).log()
    there = asked.written != IGNORED
    found = (nats[asked.written.clamp(min=0)] * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
    return np.asarray(found.numpy())


def span_losses(known: Encoded, asked: Encoded) -> np.ndarray:
    """(N,) mean of -log p of an answer's first and last token, where p follows from how many tokens into its passage it stands: the share of known answers
    there, ``smoothed``, among the places that this passage has and that of no answer.
    """
    found = torch.zeros(len(asked), dtype=torch.float64)
    for known_places, places in ((known.starts, asked.starts), (known.ends, asked.ends)):
        assert known_places is not None and places is not None
        counts = smoothed(_into(known, known_places), _places(known), max(known.ids.shape[1], asked.ids.shape[1]) + 1)
        found += -(counts[_into(asked, places)] / counts.cumsum(0)[_places(asked) - 1]).log() / 2
    return np.asarray(found.numpy())


def smoothed(seen: Tensor, among: Tensor, size: int) -> Tensor:
    """(size,) how often each value was seen, and each as much more as foretells every value seen (M,), among the first ``among`` (M,), best by the others
    (Stone 1974, one left out): else chance would make what is rare worse to foretell than knowing nothing does.
    """
    counts = torch.bincount(seen, minlength=size).double()
    own, all_of_them, more = counts[seen], counts.cumsum(0)[among - 1], torch.tensor(MORE, dtype=torch.float64).unsqueeze(1)
    told = ((own - 1 + more) / (all_of_them - 1 + more * among)).log().sum(dim=1)
    return counts + MORE[int(told.argmax())]


def _into(encoded: Encoded, places: Tensor) -> Tensor:
    """How many tokens into its passage a place is, from 1; 0 for the place of no answer."""
    assert encoded.spans is not None
    first = (encoded.spans[..., 0] >= 0).int().argmax(dim=1)
    return torch.where(places > 0, places - first + 1, 0)


def _places(encoded: Encoded) -> Tensor:
    """(N,) tokens of each passage, and one for no answer."""
    assert encoded.spans is not None
    return (encoded.spans[..., 0] >= 0).sum(dim=1) + 1
