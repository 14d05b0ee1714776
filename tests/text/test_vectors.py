"""Word vectors: counts and information against slow loops, hard debiasing by its properties and one word at a time, planted and real text."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.data._biographies import biographies
from tasks.data._bold import wikipedia
from tasks.text._vectors import DEFINITIONAL, GENDERED, WordVectors, _counted, _information, fit_debiased, hard_debiased
from tasks.text.gender_words import PAIRS
from tasks.text.steps import FitVectorsConfig, fit_vectors
from tests.conftest import NewRun, Prepare

Floats = NDArray[np.float64]
TEXTS = [*biographies(150, 0.8, 3), "Her sister\u2019s lamp, HER brother's CAT; rare words: zyx!", "lone", ""]
WORDS = ("she", "he", "woman", "man", "mother", "father", "wife", "husband", "her", "his", "queen", "nurse", "pilot", "lamp", "town", "kind")


def drawn(seed: int = 0, size: int = 8) -> Floats:
    """Unit vectors of ``WORDS`` in which women lie on one side, but wife and husband the other way round."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(len(WORDS), size))
    side = [2.0, -2.0, 2.0, -2.0, 2.0, -2.0, -1.5, 1.5, 2.0, -2.0, 2.0, 1.0, -1.0, 0.3, -0.3, 0.1]
    rows[:, 0] += side
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def axis(found: WordVectors) -> Floats:
    """The direction from he to she, as they stand now."""
    of = found.words.index
    way = found.matrix[of("she")] - found.matrix[of("he")]
    return np.asarray(way / np.linalg.norm(way))


def tokens(text: str) -> list[str]:
    """Cut at whatever is no letter, but for an apostrophe between letters."""
    kept = [letter if letter.isalpha() or letter in "'\u2019" else " " for letter in text.lower()]
    return [word.strip("'\u2019") for word in "".join(kept).split()]


def slow_counts() -> tuple[list[str], dict[tuple[str, str], int]]:
    """Words seen five times, and how often each stands within five such words of each other."""
    seen = Counter(word for text in TEXTS for word in tokens(text))
    near: Counter[tuple[str, str]] = Counter()
    for text in TEXTS:
        words = [word for word in tokens(text) if seen[word] >= 5]
        for place, word in enumerate(words):
            for other, context in enumerate(words):
                if 0 < abs(place - other) <= 5:
                    near[word, context] += 1
    return [word for word in seen if seen[word] >= 5], dict(near)


def slow_information() -> dict[tuple[str, str], float]:
    """max(0, log p(w, c) / (p(w) p'(c))), where p' is p to the power 3/4, normalised."""
    words, near = slow_counts()
    total = sum(near.values())
    of = {word: sum(count for (first, _), count in near.items() if first == word) for word in words}
    smoothed = {word: of[word] ** 0.75 for word in words}
    whole = sum(smoothed.values())
    return {(w, c): max(0.0, math.log((count / total) / ((of[w] / total) * (smoothed[c] / whole)))) for (w, c), count in near.items()}


def test_counts_and_information_are_those_of_slow_loops() -> None:
    words, counts = _counted(TEXTS)
    expected, near = slow_counts()
    assert set(words) == set(expected) and len(words) == len(expected) > 60 and "zyx" not in words and {"she", "he", "her"} <= set(words)
    dense = counts.toarray()
    assert {(words[w], words[c]): dense[w, c] for w, c in np.argwhere(dense)} == near
    information = _information(counts).toarray()
    slow = slow_information()
    np.testing.assert_allclose(information, [[slow.get((w, c), 0.0) for c in words] for w in words], atol=1e-12)
    assert (information > 0).sum() > 500 and (information[dense > 0] == 0).any()  # both signs of information were met


def test_vectors_are_those_of_a_whole_decomposition() -> None:
    """Up to a rotation: cosines, once hard debiased, are those of numpy's dense decomposition cut at as many values."""
    words, counts = _counted(TEXTS)
    for size in (5, 20):
        left, values, _ = np.linalg.svd(_information(counts).toarray())
        rows = left[:, :size] * values[:size] ** 0.5
        expected = hard_debiased(words, rows / np.linalg.norm(rows, axis=1, keepdims=True)).matrix
        found = fit_debiased(TEXTS, size)
        assert found.words == words and found.matrix.shape == (len(words), size)
        np.testing.assert_allclose(found.matrix @ found.matrix.T, expected @ expected.T, atol=1e-6)


def test_more_dimensions_than_words_are_as_many_as_there_are() -> None:
    texts = ["the woman she and he the man or her lamp his own"] * 6
    assert fit_debiased(texts, 100).matrix.shape == (11, 10)


def slowly(matrix: Floats) -> dict[str, Floats]:
    """Hard debiasing of ``WORDS`` one word at a time."""
    vectors = dict(zip(WORDS, matrix, strict=True))
    spread = []
    for one, other in DEFINITIONAL:
        if one in vectors and other in vectors:
            middle = (vectors[one] + vectors[other]) / 2
            spread += [vectors[one] - middle, vectors[other] - middle]
    values, axes = np.linalg.eigh(sum(np.outer(row, row) for row in spread))
    way = axes[:, values.argmax()]
    way = way * np.sign(way @ sum(spread[::2]))
    found = dict(vectors)
    for word, vector in vectors.items():
        if word in ("nurse", "pilot", "lamp", "town", "kind"):
            left = vector - (vector @ way) * way
            found[word] = left / math.sqrt(left @ left)
    for one, other in (("she", "he"), ("woman", "man"), ("mother", "father"), ("wife", "husband")):
        middle = (vectors[one] + vectors[other]) / 2
        left = middle - (middle @ way) * way
        found[one], found[other] = (left + sign * math.sqrt(1 - left @ left) * way for sign in (1, -1))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_hard_debiasing_is_that_of_one_word_at_a_time(seed: int) -> None:
    for matrix in (drawn(seed), -drawn(seed)):
        found, expected = hard_debiased(WORDS, matrix), slowly(matrix)
        np.testing.assert_allclose(found.matrix, [expected[word] for word in WORDS], atol=1e-12)
        polarity = found.polarity()
        assert polarity["she"] > 0 > polarity["he"] and polarity["she"] == pytest.approx(-polarity["he"])
        assert polarity["wife"] > 0 > polarity["husband"]  # whatever side they stood on


def differences(found: WordVectors) -> tuple[list[float], list[float]]:
    """Of neutral words: how far each lies along she - he, and how unlike its distances to both words of each pair are."""
    vectors, way = dict(zip(found.words, found.matrix, strict=True)), axis(found)
    neutral = [word for word in found.words if word not in GENDERED]
    pairs = [pair for pair in PAIRS if pair[0] in vectors and pair[1] in vectors]
    along = [abs(float(vectors[word] @ way)) for word in neutral]
    unlike = [
        abs(float(np.linalg.norm(vectors[word] - vectors[one]) - np.linalg.norm(vectors[word] - vectors[other]))) for word in neutral for one, other in pairs
    ]
    assert len(neutral) >= 5 and len(pairs) >= 3
    return along, unlike


def test_neutral_words_are_as_near_to_one_word_of_a_pair_as_to_the_other() -> None:
    """Positive control: before, they are not."""
    before, after = WordVectors(WORDS, drawn()), hard_debiased(WORDS, drawn())
    along, unlike = differences(after)
    assert max(along) < 1e-12 and max(unlike) < 1e-12
    assert min(map(max, differences(before))) > 0.3
    np.testing.assert_allclose(np.linalg.norm(after.matrix, axis=1), 1)
    kept = [WORDS.index(word) for word in ("her", "his", "queen")]  # about gender, and in no pair here: left as they are
    np.testing.assert_array_equal(after.matrix[kept], drawn()[kept])


def test_vectors_of_planted_text_have_these_properties_too() -> None:
    found = fit_debiased(TEXTS, 20)
    assert max(map(max, differences(found))) < 1e-9
    np.testing.assert_allclose(np.linalg.norm(found.matrix, axis=1), 1)
    polarity = found.polarity()
    assert polarity["sister"] > 0 > polarity["brother"] and polarity["her"] > 0.1 > -0.1 > polarity["his"] and abs(polarity["lamp"]) < 1e-9


@pytest.mark.parametrize("texts", [[], ["lone"], ["she he"] * 9, ["she he woman man"] * 4, ["the lamp of the town is new"] * 9])
def test_too_little_text_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="fewer than two pairs such as she and he"):
        fit_debiased(texts, 5)


def test_polarity_needs_she_and_he() -> None:
    with pytest.raises(ValueError, match="do not hold she and he often enough"):
        WordVectors(("she", "lamp"), np.eye(2)).polarity()
    assert WordVectors(("she", "he", "both"), np.array([[1.0, 0], [0, 1], [0.6, 0.8]])).polarity()["both"] == pytest.approx(-0.2 / math.sqrt(2))


def test_the_step_learns_on_the_training_text_alone(prepare: Prepare, new_run: NewRun) -> None:
    data, run = prepare({"kind": "synthetic-professions", "examples": 120}), new_run()
    fit_vectors(FitVectorsConfig(dimension=12), {"data": data.folder}, 0, run)
    found = WordVectors.load(run.folder)
    expected: dict[str, Any] = {split: fit_debiased(data.split(split)["text"].tolist(), 12) for split in ("train", "test")}
    assert found.words == expected["train"].words != expected["test"].words
    np.testing.assert_allclose(found.matrix, expected["train"].matrix, atol=1e-6)


def test_of_wikipedias_sentences_words_for_women_lie_on_her_side(catalogue: Path) -> None:
    """``her`` and ``his`` are left where the text put them: that they lie apart is found, not made."""
    found = fit_debiased([text for page in wikipedia("gender", catalogue)[::2] for text in page.texts], 30)
    polarity = found.polarity()
    for one, other in (("she", "he"), ("mother", "father"), ("actress", "actor"), ("her", "his")):
        assert polarity[one] > polarity[other]
    assert polarity["mother"] > 0 > polarity["father"] and abs(polarity["film"]) < 1e-9 and len(polarity) > 500
