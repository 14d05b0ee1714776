"""Scorers of written text: published numbers of VADER, polarity by hand and by a plain count, planted vectors, and classifiers asked one text at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tasks.core.errors import UserError
from tasks.core.measures import TrainedOther, WordVectors
from tasks.data._bold import wikipedia
from tasks.data._gender_unigrams import gender_of
from tasks.fairness.scorer import SCORERS, Scorer
from tasks.models.artifact import load_model
from tasks.models.batches import network_inputs
from tasks.models.probing import Probe
from tasks.text._vectors import WordVectors as Vectors
from tasks.training.steps import TrainConfig, train
from tests.conftest import NewRun, Prepare

PUBLISHED = {
    "VADER is smart, handsome, and funny.": 0.8316,
    "VADER is smart, handsome, and funny!": 0.8439,
    "VADER is not smart, handsome, nor funny.": -0.7424,
    "The book was good.": 0.4404,
}
"""Examples of its authors' README."""
WORDS = {"she": (1.0, 0.0), "he": (-1.0, 0.0), "nurse": (0.6, 0.8), "pilot": (-0.28, 0.96), "lamp": (0.0, 1.0), "mother's": (0.8, 0.6)}
WOMEN = ("she", "her", "hers", "herself", "woman", "women", "she's", "girl", "girls")
MEN = ("he", "him", "his", "himself", "man", "men", "he's", "boy", "boys")
BLOCK = {"kind": "files", "task": "intent", "columns": {"text": "text", "label": "label"}, "test": 0.25}


def scorer(kind: str, **fields: Any) -> Scorer:
    found = SCORERS.parse({"kind": kind, **fields})
    assert isinstance(found, Scorer)
    return found


def scored(of: Scorer, texts: Sequence[str], needed: Mapping[str, Path] | None = None) -> list[float]:
    found = of.score(texts, needed or {}, None)
    assert found.shape == (len(texts),) and found.dtype == np.float64
    assert not len(found) or (of.lowest <= found.min() and found.max() <= of.highest)
    return [float(value) for value in found]


def test_every_kind_of_scorer_is_tested_here() -> None:
    assert set(SCORERS.members()) == {"sentiment", "polarity-unigram", "polarity-embedding", "toxicity", "regard"}


def test_sentiment_is_vaders_compound_score() -> None:
    of = scorer("sentiment")
    assert (of.named, of.needs(), of.lowest, of.highest) == ("sentiment", (), -1.0, 1.0)
    texts = ["The nurse was brilliant and kind.", *PUBLISHED, "The nurse was cruel.", "the nurse", "", "The book was good."]
    assert scored(of, texts) == [0.802, *PUBLISHED.values(), -0.5859, 0.0, 0.0, 0.4404]


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("She said he gave her the book.", 1),
        ("he's here", -1),
        ("He\u2019s here", -1),
        ("SHE\u2019S a nurse and HE is not", 0),
        ("she's with a boy and two girls", 1),
        ("Women, men, and boys; himself!", -1),
        ("hers (his)", 0),
        ("he he she", -1),
        ("The heroine is human; shell, boycott, Herman, mankind.", 0),
        ("", 0),
        ("1984", 0),
    ],
)
def test_polarity_by_counting_words_is_told_by_whole_words(text: str, sign: int) -> None:
    of = scorer("polarity-unigram")
    assert scored(of, [text, text]) == [sign, sign] and of.named == "polarity_unigram" and of.needs() == ()


def test_a_curly_apostrophe_counts_as_a_straight_one() -> None:
    texts = ["she's", "he's a woman", "a woman's lot", "men's and girls' and her brother's", "'her'"]
    of = scorer("polarity-unigram")
    assert scored(of, texts) == scored(of, [text.replace("'", "\u2019") for text in texts])


def plain_sign(text: str) -> int:
    """Cut at whatever is no letter or apostrophe, quotes taken off."""
    spaced = "".join(letter if (letter.isascii() and letter.isalpha()) or letter == "'" else " " for letter in text.lower().replace("\u2019", "'"))
    words = [word.strip("'") for word in spaced.split()]
    female, male = (sum(word in chosen for word in words) for chosen in (WOMEN, MEN))
    return int(np.sign(female - male))


def test_polarity_by_counting_words_is_a_plain_count_and_that_of_the_datasets_groups(catalogue: Path) -> None:
    texts = [text for page in wikipedia("gender", catalogue)[::2] for text in page.texts]
    found = scored(scorer("polarity-unigram"), texts)
    assert found == [plain_sign(text) for text in texts] and {found.count(sign) > 100 for sign in (-1, 0, 1)} == {True}
    assert found == [{"female": 1, "male": -1, None: 0}[gender_of(text)] for text in texts]


def planted(folder: Path, words: Mapping[str, tuple[float, float]] = WORDS) -> dict[str, Path]:
    folder.mkdir()
    Vectors(tuple(words), np.array(list(words.values()))).save(folder)
    (need,) = scorer("polarity-embedding").needs()
    assert isinstance(need, WordVectors)
    return {f"vectors/{need.label}": folder}


def test_polarity_by_vectors_is_the_weighted_average_or_the_most_polar_word(tmp_path: Path) -> None:
    """With the nurse's b of .6 and the pilot's of -.28: (.36 - .0784) / (.6 + .28)."""
    needed = planted(tmp_path / "vectors")
    texts = ["The nurse saw the PILOT.", "pilot pilot, lamp", "she and he", "the mother's lamp", "lamp", "nobody here", "", "nurse-pilot 9pilot pilots"]
    average = [(0.36 - 0.0784) / 0.88, -0.28, 0.0, 0.8, 0.0, 0.0, 0.0, (0.36 - 2 * 0.0784) / (0.6 + 2 * 0.28)]
    most = [0.6, -0.28, 1.0, 0.8, 0.0, 0.0, 0.0, 0.6]
    np.testing.assert_allclose(scored(scorer("polarity-embedding", pooling="average"), texts, needed), average, atol=1e-7)
    np.testing.assert_allclose(scored(scorer("polarity-embedding", pooling="max"), texts, needed), most, atol=1e-7)
    assert average[0] != pytest.approx((0.6 - 0.28) / 2, abs=0.05)  # a plain average would be seen
    turned = {word: (-x, y) for word, (x, y) in WORDS.items()}
    again = planted(tmp_path / "turned", {**turned, "she": WORDS["she"], "he": WORDS["he"]})
    assert scored(scorer("polarity-embedding"), texts[:2], again) == pytest.approx([-0.6, 0.28])


def test_polarity_by_vectors_needs_them_of_its_corpus_and_she_and_he_among_them(tmp_path: Path) -> None:
    assert (scorer("polarity-embedding").named, scorer("polarity-embedding", pooling="average").named) == ("polarity_max", "polarity_average")
    (need,) = scorer("polarity-embedding", corpus={"kind": "wikitext-2"}, dimension=7).needs()
    assert isinstance(need, WordVectors) and need.dimension == 7 and need.data["kind"] == "wikitext-2"
    labels = {
        scorer("polarity-embedding", **fields).needs()[0].model_dump()["label"]
        for fields in ({}, {"pooling": "average"}, {"dimension": 7}, {"corpus": {"kind": "wikitext-2"}})
    }
    assert len(labels) == 3  # shared by both ways of pooling alone
    needed = planted(tmp_path / "vectors", {word: place for word, place in WORDS.items() if word != "he"})
    with pytest.raises(ValueError, match="she and he"):
        scorer("polarity-embedding").score(["the nurse"], needed, None)


def classifier(of: Scorer, prepare: Prepare, new_run: NewRun) -> Path:
    """Trained as the scorer's own need says."""
    (need,) = of.needs()
    assert isinstance(need, TrainedOther) and need.label == of.kind
    run = new_run()
    config = TrainConfig.model_validate({"model": need.model, "training": need.training, "privacy": {"kind": "none"}, "randomness": "reproducible"})
    train(config, {"data": prepare(need.data).folder}, 0, run)
    return run.folder


def of_tweets(folder: Path, kind: str = "toxicity", labels: tuple[str, str] = ("normal", "toxic"), **fields: Any) -> Scorer:
    """A scorer whose classifier learns that awful people are toxic."""
    rows = [
        {"text": f"the {who} is {what} on {day}", "label": labels[what in ("awful", "vile")]}
        for who in ("nurse", "pilot", "mason")
        for what in ("awful", "vile", "kind", "calm")
        for day in ("monday", "friday", "sunday")
    ]
    path = folder / f"{kind}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training = {"epochs": 30, "expected_batch_size": 9, "optimizer": {"kind": "adamw", "learning_rate": 0.05}, "precision": "fp32"}
    model = {"kind": "linear", "bigram_buckets": 64}
    return scorer(kind, data={**BLOCK, "train": str(path)}, model=model, training=training, **fields)


def alone(folder: Path, text: str, place: int) -> float:
    """One text asked of the network by itself."""
    loaded = load_model(folder, "cpu")
    encoded = Probe(loaded).encode([text])
    with torch.no_grad():
        logits = loaded.network(**network_inputs(encoded.batch(torch.tensor([0]), "cpu")))["intent"][0].double()
    return float((logits - logits.logsumexp(dim=0)).exp()[place])


def test_toxicity_and_regard_are_a_trained_classifiers_probability(tmp_path: Path, prepare: Prepare, new_run: NewRun) -> None:
    toxicity = of_tweets(tmp_path)
    regard = of_tweets(tmp_path, "regard", ("positive", "negative"), positive="negative")
    assert ((toxicity.named, toxicity.lowest, toxicity.highest), regard.named) == (("toxicity", 0.0, 1.0), "regard")
    folder = classifier(toxicity, prepare, new_run)
    texts = ["the pilot is vile", "", "a calm and kind nurse on monday", "the pilot is vile", "  "]
    found = scored(toxicity, texts, {"trained/toxicity": folder})
    assert found == pytest.approx([alone(folder, text or " ", 1) for text in texts]) and found[0] > 0.7 > 0.3 > found[2] and found[0] == found[3]
    other = scored(of_tweets(tmp_path, positive="normal"), texts, {"trained/toxicity": folder})
    assert other == pytest.approx([1 - value for value in found])  # the label is the one that is asked for
    judged = scored(regard, texts[:3], {"trained/regard": classifier(regard, prepare, new_run)})
    assert judged[0] > 0.7 > 0.3 > judged[2]
    with pytest.raises(UserError) as refused:
        of_tweets(tmp_path, positive="nasty").score(texts, {"trained/toxicity": folder}, None)
    assert str(refused.value) == "toxicity: the classifier has no label 'nasty'; it has normal, toxic"


def test_what_is_scored_must_be_named_and_is_a_label_of_the_usual_data(catalogue: Path, prepare: Prepare) -> None:
    (need,) = scorer("toxicity").needs()
    assert isinstance(need, TrainedOther) and (need.data["kind"], need.model["kind"]) == ("hate-speech-offensive", "linear")
    assert scorer("toxicity").positive in prepare(need.data, cache=catalogue).labels  # type: ignore[attr-defined]
    for fields in ({"positive": "negative"}, {"data": {"kind": "hate-speech-offensive"}}):
        with pytest.raises(ValidationError, match="Field required"):
            scorer("regard", **fields)
    with pytest.raises(ValidationError, match="pooling"):
        scorer("polarity-embedding", pooling="mean")
