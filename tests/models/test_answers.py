"""Answers in passages: where they stand in tokens, the likeliest of them, and SQuAD's own way to count words."""

from __future__ import annotations

import re
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.models.answers import answer_counts, normalised
from tasks.models.artifact import LoadedModel
from tasks.models.batches import Encoded, encode_split, network_inputs
from tasks.models.losses import per_example_loss
from tasks.models.model import MODELS, Architecture
from tasks.models.predicting import LONGEST, likeliest, predictions
from tasks.text._bytes import BytesEncoder
from tasks.text._hashing import HashingEncoder
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.tokenizer import TextEncoder
from tests.models.samples import QA

CONTEXT = "The  Normans came, in the 10th century (say 911), from Norwegen, né Norðvegr; they gave their name to Normandy. "
ANSWERS = ["The", "Normans", "10th century", "911", "Norðvegr", "né Norðvegr;", "Normandy.", "(say 911)"]


def encoders(most: int) -> dict[str, TextEncoder]:
    tokenizer = fit([CONTEXT] * 3, 300)
    return {"hashing": HashingEncoder(500, most), "bytes": BytesEncoder(most * 5), "trained": FastEncoder(tokenizer, most * 3)}


def records() -> pd.DataFrame:
    rows = [{"id": str(place), "text": f"what of {place}, then?", "context": CONTEXT, "answer": answer} for place, answer in enumerate(ANSWERS)]
    return pd.DataFrame([{**row, "answer_start": CONTEXT.index(row["answer"])} for row in rows])


@pytest.mark.parametrize("kind", ["hashing", "bytes", "trained"])
def test_tokens_of_an_answer_spell_it(kind: str) -> None:
    encoder, asked = encoders(60)[kind], records()
    encoded = encode_split(asked, encoder, QA)
    assert encoded.spans is not None and encoded.starts is not None and encoded.ends is not None
    for row, (answer, start) in enumerate(zip(asked["answer"], asked["answer_start"], strict=True)):
        begin, end = int(encoded.spans[row, encoded.starts[row], 0]), int(encoded.spans[row, encoded.ends[row], 1])
        assert answer in CONTEXT[begin:end] and begin <= start and CONTEXT[begin:end] in (answer, f"{answer},", f"{answer} ")
        covered = "".join(sorted({CONTEXT[place] for begin, end in encoded.spans[row].tolist() if begin >= 0 for place in range(begin, end)}))
        assert set(covered) == set(CONTEXT) - {" "}  # every character but blanks is of some token
    joined = encoded.batch([0, 3])
    assert (joined["choices"] == ((encoded.spans[[0, 3], : joined["choices"].shape[1], 0] >= 0) | (joined["position_ids"] == 0))).all()


@pytest.mark.parametrize("kind", ["hashing", "bytes", "trained"])
def test_an_answer_that_was_cut_off_stands_at_the_first_token(kind: str) -> None:
    asked = records()
    encoded = encode_split(asked, encoders(15)[kind], QA)
    assert encoded.spans is not None and encoded.starts is not None and encoded.ends is not None
    reach = encoded.spans[:, :, 1].amax(dim=1)
    for row, (answer, start) in enumerate(zip(asked["answer"], asked["answer_start"], strict=True)):
        assert (int(encoded.starts[row]) == 0) == (start + len(answer) > int(reach[row])) and (encoded.starts[row] == 0) == (encoded.ends[row] == 0)
    assert 0 < int((encoded.starts == 0).sum()) < len(asked) and encoded.ids.shape[1] <= encoders(15)[kind].max_tokens


def test_marks_of_a_published_pair_are_the_tokenizers_own() -> None:
    tokenizer = fit([CONTEXT], 300)
    ids, spans = FastEncoder(tokenizer, 64).pair("what of it", "they gave")
    tokenizer.no_truncation()
    assert ids == tokenizer.encode("what of it", "they gave").ids and len(ids) == len(spans)


def official(prediction: str, truth: str) -> tuple[float, float]:
    """Exact match and F1 as SQuAD's evaluation script 1.1 has them."""

    def normalize(text: str) -> str:
        exclude = set(string.punctuation)
        kept = "".join(letter for letter in text.lower() if letter not in exclude)
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())

    found, given = normalize(prediction).split(), normalize(truth).split()
    same = sum((Counter(found) & Counter(given)).values())
    if same == 0:
        return float(normalize(prediction) == normalize(truth)), 0.0
    precision, recall = same / len(found), same / len(given)
    return float(normalize(prediction) == normalize(truth)), 2 * precision * recall / (precision + recall)


def test_counts_are_those_of_the_official_script() -> None:
    draw, asked = np.random.default_rng(0), pd.concat([records()] * 12, ignore_index=True)
    encoded = encode_split(asked, HashingEncoder(500, 60), QA)
    assert encoded.spans is not None
    first = torch.tensor(draw.integers(7, 22, size=len(asked)))
    chosen = torch.stack([first, first + torch.tensor(draw.integers(0, 5, size=len(asked)))], dim=1)
    counts = answer_counts(asked, encoded.spans, chosen)
    seen = set()
    for row in range(len(asked)):
        said = CONTEXT[counts["predicted_start"][row] : counts["predicted_end"][row]]
        exact, f1 = official(said, asked["answer"][row])
        total = counts["words"][row] + counts["predicted_words"][row]
        assert counts["exact"][row] == exact and 2 * counts["shared_words"][row] / max(1, total) == pytest.approx(f1)
        seen.add((exact, f1 > 0))
    assert seen >= {(1.0, True), (0.0, True), (0.0, False)}
    assert normalised("The Norman's, an 'a'.") == ["normans"]  # the article in quotes too


def test_the_likeliest_answer_is_found_among_all() -> None:
    scores = torch.randn(4, 45, 2, generator=torch.Generator().manual_seed(1))
    scores[0, 0] = 100.0  # the first token begins no answer
    scores[1, 3, 0], scores[1, 40, 1] = 50.0, 50.0  # too long together
    for row, found in enumerate(likeliest(scores).tolist()):
        pairs = [(begin, end) for begin in range(1, 45) for end in range(begin, min(begin + LONGEST, 45))]
        assert tuple(found) == max(pairs, key=lambda pair: float(scores[row, pair[0], 0] + scores[row, pair[1], 1]))


def test_a_loss_and_an_answer_are_those_of_the_record_alone(tmp_path: Path) -> None:
    model = MODELS.parse({"kind": "bilstm", "embedding_size": 8, "hidden_size": 8, "tokenizer": {"kind": "hashing", "buckets": 80, "max_tokens": 34}})
    assert isinstance(model, Architecture)
    started, asked = model.start(QA, {}, 3), records()
    started.network.eval()
    loaded = LoadedModel(model, started.encoder, started.network, QA, {})
    encoded: Encoded = encode_split(asked, started.encoder, QA)
    table = predictions(loaded, asked, encoded, "cpu")
    assert list(table) == ["id", "loss", "start", "end", "predicted_start", "predicted_end", "exact", "words", "predicted_words", "shared_words"]
    for row in range(len(asked)):
        batch = encoded.batch([row])
        with torch.no_grad():
            scores = started.network(**network_inputs(batch))["span"][0].double()
        scores[~batch["choices"][0]] = -torch.inf
        first, last = scores.log_softmax(dim=0).unbind(dim=1)
        expected = -(first[batch["starts"][0]] + last[batch["ends"][0]]) / 2
        assert table["loss"][row] == pytest.approx(float(expected), abs=1e-5)
        with torch.no_grad():
            assert float(per_example_loss(started.network(**network_inputs(batch)), batch)[0]) == pytest.approx(float(expected), abs=1e-5)
