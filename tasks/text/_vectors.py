"""Word vectors from co-occurrence, with the gender direction taken out of words that are not about gender."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.text.gender_words import BY_ROLE, PAIRS, UNPAIRED

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    Floats = NDArray[np.float64]

WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
WINDOW, MINIMUM, MOST_WORDS = 5, 5, 30_000
SMOOTHING, POWER = 0.75, 0.5
DEFINITIONAL = (
    ("woman", "man"),
    ("girl", "boy"),
    ("she", "he"),
    ("mother", "father"),
    ("daughter", "son"),
    ("gal", "guy"),
    ("female", "male"),
    ("her", "his"),
    ("herself", "himself"),
)
GENDERED = frozenset({*(word for words in (*BY_ROLE, *PAIRS) for word in words), *UNPAIRED.split()})
LITTLE = "the texts of the word vectors hold fewer than two pairs such as she and he often enough"
NAME = "co-occurrence vectors, hard-debiased by the project's gender words"


@dataclass(frozen=True)
class WordVectors:
    """Unit vectors (V, D) of words in small letters."""

    words: tuple[str, ...]
    matrix: Floats

    def polarity(self) -> dict[str, float]:
        """The cosine of each word with she - he (Dhamala et al., FAccT 2021): positive towards she. Raises ValueError where either is unknown."""
        places = {word: place for place, word in enumerate(self.words)}
        if "she" not in places or "he" not in places:
            raise ValueError("the texts of the word vectors do not hold she and he often enough")
        direction = _unit(self.matrix[places["she"]] - self.matrix[places["he"]])
        return dict(zip(self.words, (self.matrix @ direction).tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write ``vectors.safetensors`` and ``vectors.json``."""
        from safetensors.numpy import save_file

        save_file({"vectors": self.matrix.astype(np.float32)}, str(folder / "vectors.safetensors"))
        (folder / "vectors.json").write_text(json.dumps({"name": NAME, "words": self.words}) + "\n")

    @classmethod
    def load(cls, folder: Path) -> WordVectors:
        """What ``save`` wrote."""
        from safetensors.numpy import load_file

        words = json.loads((folder / "vectors.json").read_text())["words"]
        return cls(tuple(words), load_file(str(folder / "vectors.safetensors"))["vectors"].astype(np.float64))


def fit_debiased(texts: Sequence[str], dimension: int) -> WordVectors:
    """Vectors of all words that are frequent enough: positive pointwise mutual information with smoothed contexts, factored by a truncated SVD
    (Levy, Goldberg and Dagan, TACL 2015), then hard-debiased. The same texts give the same vectors up to rounding. Raises ValueError for too little text."""
    from scipy.sparse.linalg import svds

    words, counts = _counted(texts)
    if len(words) < 4:
        raise ValueError(LITTLE)
    size = min(dimension, min(counts.shape) - 1)
    left, values, _ = svds(_information(counts), k=size, v0=np.ones(min(counts.shape)), which="LM")
    return hard_debiased(words, _units(left * values**POWER))


def hard_debiased(words: Sequence[str], matrix: Floats) -> WordVectors:
    """Neutralise words that are not about gender, and equalise pairs (Bolukbasi et al., NeurIPS 2016): vectors of unit length.

    Unlike there a pair's female word is always set apart towards she: in little text husband stands beside her, and wife beside his.
    """
    places = {word: place for place, word in enumerate(words)}
    direction = _direction(places, matrix)
    found = matrix.copy()
    neutral = np.array([word not in GENDERED for word in words])
    found[neutral] = _units(found[neutral] - np.outer(found[neutral] @ direction, direction))
    for pair in PAIRS:
        if all(word in places for word in pair):
            one, other = (places[word] for word in pair)
            middle = (matrix[one] + matrix[other]) / 2
            middle = middle - (middle @ direction) * direction
            reach = np.sqrt(max(0.0, 1 - middle @ middle))
            found[one], found[other] = middle + reach * direction, middle - reach * direction
    return WordVectors(tuple(words), found)


def _direction(places: dict[str, int], matrix: Floats) -> Floats:
    """The first principal component of definitional pairs about their middles, from he to she. Raises ValueError where fewer than two pairs are known."""
    rows = []
    for one, other in DEFINITIONAL:
        if one in places and other in places:
            middle = (matrix[places[one]] + matrix[places[other]]) / 2
            rows += [matrix[places[one]] - middle, matrix[places[other]] - middle]
    if len(rows) < 4:
        raise ValueError(LITTLE)
    found = np.asarray(np.linalg.svd(np.array(rows), full_matrices=False)[2][0])
    return found if sum(found @ row for row in rows[::2]) >= 0 else -found


def _counted(texts: Sequence[str]) -> tuple[tuple[str, ...], csr_matrix]:
    """Frequent words, and how often each stands within five words of each other (V, V)."""
    from scipy.sparse import coo_matrix

    sentences = [[word.lower() for word in WORD.findall(text)] for text in texts]
    frequent = Counter(word for sentence in sentences for word in sentence).most_common(MOST_WORDS)
    words = tuple(word for word, count in frequent if count >= MINIMUM)
    places = {word: place for place, word in enumerate(words)}
    rows, columns = [], []
    for sentence in sentences:
        ids = np.array([places[word] for word in sentence if word in places], dtype=np.int32)
        for away in range(1, min(WINDOW, len(ids) - 1) + 1):
            rows += [ids[:-away], ids[away:]]
            columns += [ids[away:], ids[:-away]]
    row, column = (np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32) for parts in (rows, columns))
    return words, coo_matrix((np.ones(len(row)), (row, column)), shape=(len(words), len(words))).tocsr()


def _information(counts: csr_matrix) -> csr_matrix:
    """Positive pointwise mutual information; the probability of contexts to the power 3/4."""
    from scipy.sparse import csr_matrix

    found = counts.tocoo()
    of_word, of_context = np.asarray(counts.sum(axis=1)).ravel(), np.asarray(counts.sum(axis=0)).ravel() ** SMOOTHING
    expected = of_word[found.row] * of_context[found.col] / of_context.sum()
    return csr_matrix((np.maximum(np.log(found.data / expected), 0), (found.row, found.col)), shape=counts.shape)


def _units(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))


def _unit(row: Floats) -> Floats:
    return np.asarray(_units(row[None])[0])
