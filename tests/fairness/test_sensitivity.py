"""Prediction sensitivity: closed forms, finite differences, a slow twin, and its properties on networks whose heed of a word is planted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from tasks.fairness._judged import Opened
from tasks.fairness._sensitivity import token_sensitivities, word_sensitivities, words_of
from tasks.fairness.metric import FAIRNESS
from tasks.models.model import MODELS, TaskShape
from tasks.models.probing import Probe
from tests.fairness.fakes import TINY, WordEncoder

SAID = {"data": "d", "split": "test"}
HIDDEN, LABELS = 6, ("no", "unsure", "yes")
BILSTM: dict[str, Any] = {"kind": "bilstm", "embedding_size": 8, "hidden_size": 8, "dropout": 0.0}


class Words(WordEncoder):
    """Also of sentences that are split already."""

    def encode_words(self, sentences: Any) -> list[tuple[list[int], list[int]]]:
        found = []
        for sentence in sentences:
            pieces = [(number, piece) for number, word in enumerate(sentence) for piece in self._ids(word)]
            index = [number if not place or pieces[place - 1][0] != number else -1 for place, (number, _) in enumerate(pieces)]
            found.append(([1, *(piece for _, piece in pieces), 2], [-1, *index, -1]))
        return found


class Bag(nn.Module):
    """Logits W times the sum of the tokens' vectors, of which some tokens' are taken ``heed`` times: linear in every vector."""

    def __init__(self, curved: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(1000, HIDDEN)
        self.weight = nn.Parameter(torch.randn(HIDDEN, len(LABELS)))
        self.heed: dict[int, float] = {}
        self.shift, self.curved = 0.0, curved

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        factor = torch.ones(input_ids.shape)
        for token, heed in self.heed.items():
            factor[input_ids == token] = heed
        vectors = self.embedding(input_ids) * (factor * attention_mask)[..., None]
        summed = torch.tanh(vectors).sum(dim=1) if self.curved else vectors.sum(dim=1)
        return {"intent": summed @ self.weight + self.shift}


def probe_of(network: nn.Module, encoder: Any = None) -> Probe:
    shape = TaskShape(task="intent", labels=LABELS)
    return Probe(SimpleNamespace(encoder=encoder or Words(), network=network.eval(), shape=shape))  # type: ignore[arg-type]


def opened(probe: Probe, texts: list[str], labels: list[str] | None = None) -> Opened:
    records = pd.DataFrame({"id": [str(number) for number in range(len(texts))], "text": texts, "label": labels or ["no"] * len(texts)})
    return Opened(probe, records, SAID)


def metric(**fields: Any) -> Any:
    return FAIRNESS.parse({"kind": "prediction-sensitivity", "terms": "synthetic", "minimum": 1, **fields})


TEXTS = ["the woman is kind", "people say the man is awake", "on monday the girl looked dull at the market", "she is late", "nobody was here"]


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("weights", ["uniform", "true", "predicted"])
def test_a_linear_model_has_the_closed_form(norm: Any, weights: str) -> None:
    network = Bag()
    probe = probe_of(network)
    found = metric(output="logit", norm=norm, weights=weights, form="raw").sensitivities(opened(probe, TEXTS), {}, None)
    sizes = np.linalg.norm(network.weight.detach().numpy(), ord=norm, axis=0)
    protected = np.asarray([2, 2, 2, 1])  # both words of a subject with its article
    for place, count in enumerate(protected):
        chances = probe.classify([TEXTS[place]])[0]
        w = {"uniform": np.full(3, 1 / 3), "true": np.eye(3)[0], "predicted": np.eye(3)[chances.argmax()]}[weights]
        words = len(TEXTS[place].split())
        assert found["raw"][place] == pytest.approx(float(w @ sizes) * count, rel=1e-5)
        assert found["share"][place] == pytest.approx(count / words, rel=1e-5)
        assert found["length-normalised"][place] == pytest.approx(float(w @ sizes) * count / words, rel=1e-5)
    assert all(np.isnan(values[4]) for values in found.values())


@pytest.mark.parametrize("output", ["probability", "logit"])
@pytest.mark.parametrize("architecture", [{"kind": "bert"}, {"kind": "gpt2"}, BILSTM, {**BILSTM, "characters": {"size": 2, "filters": 3}}])
def test_a_batch_equals_finite_differences_one_by_one(architecture: dict[str, Any], output: Any) -> None:
    """Whatever the length of the others, and of every output, the last too, which is not asked but follows."""
    network = built(architecture).double()
    probe = probe_of(network)
    rows = [probe.word_ids(text.split())[0] for text in TEXTS]
    found, _ = token_sensitivities(probe, rows, 2, output)
    for row, sizes in zip(rows[:3], found, strict=False):
        assert sizes.shape == (3, len(row))
        expected = differences(network, row, output)
        assert np.allclose(sizes, np.linalg.norm(expected, axis=-1), rtol=1e-4, atol=1e-8)


def built(architecture: dict[str, Any]) -> Any:
    """With weights large enough that curvature shows."""
    blocks = {**({} if architecture["kind"] == "bilstm" else TINY), **architecture, "tokenizer": {"kind": "bytes", "max_tokens": 64}}
    model: Any = MODELS.parse(blocks)
    encoder: Any = SimpleNamespace(vocabulary_size=1000, pad_id=0, max_tokens=64, mask_id=3, spellings=lambda: [f"{index:x}" for index in range(1000)])
    return model.build(TaskShape(task="intent", labels=LABELS), encoder, 0).eval()


def differences(network: Any, row: list[int], output: str, step: float = 1e-5) -> np.ndarray:
    """(C, L, H) by moving one number of one token's vector at a time."""
    base = network.vectors(torch.tensor([row]))[0].detach()
    length, width = base.shape
    moves = torch.zeros(length * width, length, width, dtype=base.dtype)
    moves.view(length * width, -1)[range(length * width), range(length * width)] = step

    def outputs(vectors: Tensor) -> Tensor:
        places = torch.arange(length).expand(len(vectors), -1)
        logits: Tensor = network.answers(vectors, places >= 0, places)["intent"]
        return logits.softmax(dim=-1) if output == "probability" else logits

    with torch.no_grad():
        slope = (outputs(base + moves) - outputs(base - moves)) / (2 * step)
    return np.asarray(slope.T.reshape(-1, length, width))


def test_a_model_that_ignores_protected_words_scores_zero_and_heed_raises_it_in_proportion() -> None:
    raw, share = [], []
    for heed in (0.0, 0.25, 0.5, 1.0):
        network = Bag()
        probe = probe_of(network)
        probe.encode(TEXTS)
        network.heed = dict.fromkeys((probe.encoder.id(word) for word in ("woman", "man", "girl", "she")), heed)  # type: ignore[attr-defined]
        found = metric(output="logit", form="raw", terms=(("woman", "man"), ("she", "he"), ("girl", "boy"))).sensitivities(opened(probe, TEXTS), {}, None)
        raw.append(found["raw"][:4])
        share.append(found["share"][:4])
    assert np.allclose(raw[0], 0) and np.allclose(share[0], 0)
    assert np.allclose(raw[1], raw[3] / 4, rtol=1e-5) and np.allclose(raw[2], raw[3] / 2, rtol=1e-5)
    assert (np.diff(share, axis=0) > 0).all()


def test_a_constant_changes_nothing_nor_does_padding() -> None:
    network = Bag(curved=True)
    probe = probe_of(network)
    alone = [metric().sensitivities(opened(probe, [text]), {}, None)["share"][0] for text in TEXTS[:4]]
    network.shift = 5.0
    together = metric().sensitivities(opened(probe, TEXTS), {}, None)["share"][:4]
    assert np.allclose(alone, together, rtol=1e-5)


def test_more_protected_words_never_lower_it() -> None:
    probe = probe_of(Bag(curved=True))
    few = metric(terms=(("woman", "man"),)).sensitivities(opened(probe, TEXTS), {}, None)["raw"]
    more = metric(terms=(("woman", "man"), ("kind", "rude"), ("the", "a"))).sensitivities(opened(probe, TEXTS), {}, None)["raw"]
    told = np.isfinite(few)
    assert told.sum() == 2 and (more[told] >= few[told] - 1e-12).all()


def test_it_bounds_how_far_the_answer_moves_with_the_protected_word() -> None:
    """Moving one word's vector by d moves the logit by at most the largest sensitivity on the way times the length of d."""
    network = Bag(curved=True)
    probe = probe_of(network)
    (words, _), generator = words_of("the woman is kind"), torch.Generator().manual_seed(1)
    ids = probe.word_ids(words)[0]
    token = ids[2]
    start = network.embedding.weight.detach()[token].clone()
    move = torch.randn(HIDDEN, generator=generator)
    largest, ends = np.zeros(3), []
    with torch.no_grad():
        for share in np.linspace(0, 1, 401):
            network.embedding.weight[token] = start + float(share) * move
            sizes = word_sensitivities(probe, [words], 2, "logit", "sum")[0][0]
            largest = np.maximum(largest, sizes[:, 1])
            if share in (0, 1):
                present, nowhere = torch.ones(1, len(ids), dtype=torch.bool), torch.zeros(1, len(ids))
                ends.append(network(torch.tensor([ids]), present, nowhere)["intent"][0].numpy())
    assert (np.abs(ends[1] - ends[0]) <= largest * float(move.norm()) * (1 + 1e-3)).all()


def test_a_word_of_several_tokens_is_pooled_as_declared_and_marks_count_nowhere() -> None:
    network = Bag()
    probe = probe_of(network, Words(longest=3))
    size = np.linalg.norm(network.weight.detach().numpy(), axis=0)
    for pooling, factor in (("sum", 3), ("mean", 1), ("max", 1)):
        (found,), _ = word_sensitivities(probe, [["the", "daughter"]], 2, "logit", pooling)  # type: ignore[arg-type]
        assert np.allclose(found, np.column_stack([size, factor * size]), rtol=1e-5)


def test_signed_products_cancel_and_have_no_share() -> None:
    network = Bag()
    probe = probe_of(network)
    with pytest.raises(ValueError, match="signed sensitivities cancel"):
        metric(norm="signed")
    (found,), _ = word_sensitivities(probe, [["she", "is", "late"]], "signed", "logit", "sum")
    vectors = probe.embedding.weight.detach()[probe.word_ids(["she", "is", "late"])[0][1:4]]
    assert np.allclose(found, (vectors @ network.weight).detach().numpy().T, atol=1e-5)


def test_a_model_of_groups_takes_the_place_of_the_gazetteer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It heeds 'woman' alone, so that is the protected word; the largest of a text counts 1."""
    groups, network = Bag(), Bag()
    encoder = Words()
    tells, probe = probe_of(groups, encoder), probe_of(network, encoder)
    tells.encode(TEXTS)
    groups.heed = {encoder.id(word): 0.0 for text in TEXTS for word in text.split() if word not in ("woman", "is")}
    groups.heed[encoder.id("is")] = 0.5
    monkeypatch.setattr(Probe, "open", lambda folder, device: tells)
    data = {"kind": "group-labels", "data": {"kind": "synthetic-stereotypes", "task": "intent"}}
    soft = metric(protected_model={"kind": "bilstm"}, protected_data=data, output="logit")
    assert [need.label for need in soft.protected_needs()] == ["protected"]
    found = soft.sensitivities(opened(probe, TEXTS[:1]), {"trained/protected": None}, None)
    assert found["share"][0] == pytest.approx(1.5 / 4, rel=1e-4)


def test_too_few_texts_are_no_evidence() -> None:
    found = metric(minimum=30).scored(opened(probe_of(Bag()), TEXTS), {}, 0, None)
    assert [row.status for row in found.rows] == ["insufficient_evidence"]
    rows = {row.name.split("/", 2)[2]: row for row in metric().scored(opened(probe_of(Bag()), TEXTS), {}, 0, None).rows}
    assert rows["score"].n == 4 and rows["score"].conditions["form"] == "share" and 0 < rows["words/score"].value < 1
