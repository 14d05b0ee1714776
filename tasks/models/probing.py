"""A trained model opened for measurement: its states, its input vectors, what it says of labels and of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.models.ability import ABILITY_OF_TASK, Ability
from tasks.models.artifact import LoadedModel, load_model
from tasks.models.batches import Encoded, network_inputs, padded
from tasks.models.model import Relaxable

Floats = NDArray[np.float64]
Pooling = Literal["mean", "first", "last", "max"]
TOKENS, ROWS = 16_384, 512
"""The most tokens and rows of a batch."""
LOGITS = 32_000_000
"""The most logits held at once."""


class Probe:
    """What a measurement may ask of a model.

    Attributes:
        abilities: what it can be asked at all; the network of a bag of words has no states.
        encoder, network, shape, device: its parts.
    """

    def __init__(self, loaded: LoadedModel, device: str = "cpu") -> None:
        self.encoder, self.network, self.shape, self.device = loaded.encoder, loaded.network, loaded.shape, device
        has_states = hasattr(loaded.network, "states")
        self.abilities: frozenset[Ability] = frozenset(ability for ability in ABILITY_OF_TASK.get(loaded.shape.task, ()) if ability != "encoder" or has_states)

    @classmethod
    def open(cls, folder: Path, device: str = "cpu") -> Self:
        """The model of an artifact. Raises ModelError."""
        return cls(load_model(folder, device), device)

    @property
    def embedding(self) -> nn.Embedding:
        """The input vectors of tokens."""
        body: Any = getattr(self.network, "body", None)
        found = body.get_input_embeddings() if body is not None else getattr(self.network, "embedding", getattr(self.network, "weights", None))
        assert isinstance(found, nn.Embedding)
        return found

    @property
    def reading(self) -> nn.Module:
        """The layer that says the input vectors, whole: with characters it is behind the embedding."""
        return getattr(self.network, "characters", None) or self.embedding

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Texts as tensors, with the tokenizer's marks, cut at its longest sequence."""
        return self._encoded(self.encoder.encode(list(texts)))

    def text_states(self, texts: Sequence[str], pooling: Pooling = "mean") -> Floats:
        """(N, H): the last layer's states over all tokens of each text, marks included."""
        encoded = self.encode(texts)
        return self._gathered(encoded, [(0, int(length)) for length in encoded.lengths], pooling)

    def word_states(self, sentences: Sequence[Sequence[str]], places: Sequence[int], pooling: Pooling = "mean") -> Floats:
        """(N, H): the last layer's states of one word of each sentence, over its tokens; NaN where the word was cut off."""
        rows = [self.word_ids(sentence) for sentence in sentences]
        spans = [spans[place] for (_, spans), place in zip(rows, places, strict=True)]
        return self._gathered(self._encoded([ids for ids, _ in rows]), spans, pooling)

    @torch.no_grad()
    def word_vectors(self, words: Sequence[str]) -> Floats:
        """(N, E): the mean of the input vectors of each word's tokens, without marks; NaN for a word without any."""
        vectors = self.network.vectors if isinstance(self.network, Relaxable) else self.embedding
        found = []
        for word in words:
            ids, spans = self.word_ids(word.split() or [word])
            kept = torch.tensor([ids[spans[0][0] : spans[-1][1]]], dtype=torch.long, device=self.embedding.weight.device)
            found.append(vectors(kept)[0].mean(dim=0))
        return np.asarray(torch.stack(found).cpu().double().numpy())

    def word_ids(self, sentence: Sequence[str]) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids with the tokenizer's marks, and where each word's ids stand, [start, end); equal for a word that was cut off."""
        ids, index = self.encoder.encode_words([list(sentence)])[0]
        marks = self.encoder.mark_ids
        begins = {word: place for place, word in enumerate(index) if word >= 0}
        spans = []
        for word in range(len(sentence)):
            start = end = begins.get(word, 0)
            if word in begins:
                end = start + 1
                while end < len(ids) and index[end] < 0 and ids[end] not in marks:
                    end += 1
            spans.append((start, end))
        return ids, spans

    @torch.no_grad()
    def classify(self, texts: Sequence[str]) -> Floats:
        """(N, C) probabilities in the order of ``shape.labels``."""
        encoded = self.encode(texts)
        found = torch.zeros(len(encoded), len(self.shape.labels), dtype=torch.float64)
        for chosen, batch in self._batches(encoded):
            found[chosen] = self.network(**network_inputs(batch))["intent"].double().softmax(dim=-1).cpu()
        return np.asarray(found.numpy())

    @torch.no_grad()
    def masked_scores(self, rows: Sequence[Sequence[int]], places: Sequence[int], targets: Sequence[int], report: Any = None) -> Floats:
        """(N,) log p (nats) of target i at place i of row i, whose hidden tokens are mask ids already."""
        encoded = self._encoded(rows)
        at, wanted = torch.tensor(places, dtype=torch.long), torch.tensor(targets, dtype=torch.long)
        found = torch.zeros(len(encoded), dtype=torch.float64)
        for chosen, batch in self._batches(encoded, report):
            logits = self.network(**network_inputs(batch))["mlm"][torch.arange(len(chosen)), at[chosen].to(self.device)]
            found[chosen] = logits.double().log_softmax(dim=-1).cpu()[torch.arange(len(chosen)), wanted[chosen]]
        return np.asarray(found.numpy())

    @torch.no_grad()
    def causal_scores(self, rows: Sequence[Sequence[int]], report: Any = None) -> list[Floats]:
        """(L_i - 1,) log p (nats) of each id of row i after the first."""
        encoded = self._encoded(rows)
        found: list[Floats] = [np.zeros(0)] * len(encoded)
        for chosen, batch in self._batches(encoded, report):
            logits = self.network(**network_inputs(batch))["lm"][:, :-1]
            scores = logits.double().log_softmax(dim=-1).gather(2, batch["input_ids"][:, 1:, None]).squeeze(2).cpu().numpy()
            for place, index in enumerate(chosen.tolist()):
                found[index] = scores[place, : int(encoded.lengths[index]) - 1]
        return found

    def _encoded(self, rows: Sequence[Sequence[int]]) -> Encoded:
        ids, lengths = padded(rows, self.encoder.pad_id)
        return Encoded(ids, lengths, self.encoder.pad_id, torch.arange(len(ids)))

    def batches(self, rows: Sequence[Sequence[int]], report: Any = None, tokens: int = TOKENS) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Rows of ids in batches of like length: their places, and the batch. ``tokens`` is the most of a batch."""
        return self._batches(self._encoded(rows), report, tokens)

    def _batches(self, encoded: Encoded, report: Any = None, tokens: int = TOKENS) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Rows of like length together, within the bounds; says how far it is."""
        order = torch.argsort(encoded.lengths, stable=True)
        most = min(tokens, LOGITS // self.encoder.vocabulary_size if self.shape.task in ("lm", "mlm") else tokens)
        progress: Callable[..., None] = report.progress if report is not None else lambda *_: None
        start = 0
        while start < len(order):
            size = 1
            while start + size < len(order) and size < ROWS and (size + 1) * int(encoded.lengths[order[start + size]]) <= most:
                size += 1
            chosen = order[start : start + size]
            yield chosen, encoded.batch(chosen, self.device)
            start += size
            progress(start, len(order), "asking the model")

    @torch.no_grad()
    def _gathered(self, encoded: Encoded, spans: Sequence[tuple[int, int]], pooling: Pooling) -> Floats:
        ends = torch.tensor(spans, dtype=torch.long).reshape(-1, 2)
        found: Tensor | None = None
        for chosen, batch in self._batches(encoded):
            states: Tensor = self.network.states(**network_inputs(batch)).double().cpu()  # type: ignore[operator]
            pooled = _pooled(states, ends[chosen], pooling)
            found = torch.zeros(len(encoded), pooled.shape[1], dtype=torch.float64) if found is None else found
            found[chosen] = pooled
        return np.asarray(found.numpy()) if found is not None else np.zeros((0, 0))


def _pooled(states: Tensor, ends: Tensor, pooling: Pooling) -> Tensor:
    """(B, H) of states (B, L, H) between ends (B, 2); NaN where nothing is between."""
    start, end = ends[:, :1], ends[:, 1:]
    rows = torch.arange(len(states))
    if pooling == "first":
        found = states[rows, start.squeeze(1)]
    elif pooling == "last":
        found = states[rows, (end.squeeze(1) - 1).clamp(min=0)]
    else:
        places = torch.arange(states.shape[1])
        inside = ((places >= start) & (places < end)).unsqueeze(-1)
        found = states.masked_fill(~inside, -torch.inf).amax(dim=1) if pooling == "max" else (states * inside).sum(dim=1) / (end - start).clamp(min=1)
    return found.masked_fill(end <= start, torch.nan)
