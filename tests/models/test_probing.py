"""A probe against the network asked one text at a time, and words found where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.models.artifact import save_model
from tasks.models.continuing import Continued
from tasks.models.model import MODELS, Model, ModelError, TaskShape
from tasks.models.probing import Probe
from tests.models.samples import publish

BYTES = {"kind": "bytes", "max_tokens": 40}
SIZES: dict[str, dict[str, Any]] = {
    "bert": {"layers": 2, "hidden_size": 16, "heads": 2, "tokenizer": BYTES},
    "gpt2": {"layers": 2, "hidden_size": 16, "heads": 2, "tokenizer": BYTES},
    "bilstm": {"embedding_size": 6, "hidden_size": 5, "tokenizer": BYTES},
    "linear": {"tokenizer": BYTES},
}
CASES = (("bert", "mlm"), ("gpt2", "lm"), ("bilstm", "mlm"), ("bert", "intent"), ("gpt2", "intent"), ("bilstm", "intent"))
TEXTS = ["she reads", "a man with a long story to tell us", "no"]
LABELS = ("x", "y")


def saved(folder: Path, kind: str, task: str) -> Path:
    model = MODELS.parse({"kind": kind, **SIZES[kind]})
    shape = TaskShape(task, LABELS if task == "intent" else ())
    folder.mkdir()
    assert isinstance(model, Model)
    started = model.start(shape, {}, 3)
    save_model(folder, started, shape, {}, {})
    return folder


def alone(probe: Probe, ids: list[int]) -> dict[str, torch.Tensor]:
    """One text, no padding: the network's answers and its states."""
    tensors = (torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool), torch.arange(len(ids))[None])
    with torch.no_grad():
        return {**probe.network(*tensors), "states": probe.network.states(*tensors)}  # type: ignore[operator]


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_states_are_those_of_each_text_alone(tmp_path: Path, kind: str, task: str) -> None:
    probe = Probe.open(saved(tmp_path / "model", kind, task))
    for pooling, pool in (("mean", lambda s: s.mean(0)), ("first", lambda s: s[0]), ("last", lambda s: s[-1]), ("max", lambda s: s.max(0).values)):
        found = probe.text_states(TEXTS, pooling)  # type: ignore[arg-type]
        for row, text in zip(found, TEXTS, strict=True):
            expected = pool(alone(probe, probe.encoder.encode([text])[0])["states"][0].double())  # type: ignore[no-untyped-call]
            np.testing.assert_allclose(row, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(("kind", "task"), CASES[:3])
def test_a_word_is_its_own_bytes(tmp_path: Path, kind: str, task: str) -> None:
    probe = Probe.open(saved(tmp_path / "model", kind, task))
    sentence = ["the", "woman", "reads"]
    ids, spans = probe.word_ids(sentence)
    assert [probe.encoder.decode(ids[start:end]).strip() for start, end in spans] == sentence
    states = alone(probe, ids)["states"][0].double()
    start, end = spans[1]
    np.testing.assert_allclose(probe.word_states([sentence], [1])[0], states[start:end].mean(0).numpy(), atol=1e-5)


def test_a_word_that_was_cut_off_has_no_state(tmp_path: Path) -> None:
    probe = Probe.open(saved(tmp_path / "model", "bert", "mlm"))
    sentence = ["word"] * 12
    assert np.isnan(probe.word_states([sentence], [11])).all()
    assert np.isfinite(probe.word_states([sentence], [0])).all()


def test_scores_of_tokens_are_log_probabilities(tmp_path: Path) -> None:
    masked = Probe.open(saved(tmp_path / "masked", "bert", "mlm"))
    row = masked.encoder.encode(["she reads"])[0]
    every = masked.masked_scores([row] * masked.encoder.vocabulary_size, [2] * masked.encoder.vocabulary_size, list(range(masked.encoder.vocabulary_size)))
    assert np.exp(every).sum() == pytest.approx(1.0, abs=1e-6)
    expected = alone(masked, row)["mlm"][0, 2].double().log_softmax(-1)
    np.testing.assert_allclose(every, expected.numpy(), atol=1e-5)
    causal = Probe.open(saved(tmp_path / "causal", "gpt2", "lm"))
    rows = [causal.encoder.windows(text)[0] for text in TEXTS]
    for ids, found in zip(rows, causal.causal_scores(rows), strict=True):
        logits = alone(causal, ids)["lm"][0].double().log_softmax(-1)
        np.testing.assert_allclose(found, [float(logits[place, ids[place + 1]]) for place in range(len(ids) - 1)], atol=1e-5)


def test_classes_and_abilities(tmp_path: Path) -> None:
    probe = Probe.open(saved(tmp_path / "model", "bilstm", "intent"))
    assert probe.abilities == {"encoder", "classifier"}
    found = probe.classify(TEXTS)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    expected = alone(probe, probe.encoder.encode(TEXTS[1:2])[0])["intent"][0].double().softmax(-1)
    np.testing.assert_allclose(found[1], expected.numpy(), atol=1e-6)
    assert Probe.open(saved(tmp_path / "linear", "linear", "intent")).abilities == {"classifier"}


@pytest.mark.parametrize(("kind", "task"), CASES[:3])
def test_a_continued_model_keeps_its_body_and_gets_new_answers(tmp_path: Path, kind: str, task: str) -> None:
    base = saved(tmp_path / "base", kind, task)
    shape = TaskShape("intent", LABELS)
    started = {seed: Continued(kind="continued").start(shape, {"base": base}, seed) for seed in (1, 2)}
    for seed, found in started.items():
        (tmp_path / str(seed)).mkdir()
        save_model(tmp_path / str(seed), found, shape, {}, {})
    probes = [Probe.open(tmp_path / name) for name in ("base", "1", "2")]
    states = [probe.text_states(TEXTS) for probe in probes]
    np.testing.assert_allclose(states[0], states[1], atol=1e-6)
    assert np.abs(probes[1].classify(TEXTS) - probes[2].classify(TEXTS)).max() > 1e-6


def test_a_linear_model_has_no_body(tmp_path: Path) -> None:
    base = saved(tmp_path / "base", "linear", "intent")
    with pytest.raises(ModelError, match="no body"):
        Continued(kind="continued").start(TaskShape("intent", ("p", "q", "r")), {"base": base}, 0)


def test_a_published_masked_model_is_continued_without_its_source(tmp_path: Path) -> None:
    source = publish(tmp_path / "published", TaskShape("intent", LABELS))
    model = MODELS.parse({"kind": "pretrained", "source": str(source)})
    shape = TaskShape("mlm")
    assert isinstance(model, Model)
    started = model.start(shape, {}, 0)
    (tmp_path / "base").mkdir()
    save_model(tmp_path / "base", started, shape, {}, {})
    for file in source.glob("*.safetensors"):
        file.unlink()
    found = Continued(kind="continued").start(TaskShape("intent", LABELS), {"base": tmp_path / "base"}, 1)
    (tmp_path / "found").mkdir()
    save_model(tmp_path / "found", found, TaskShape("intent", LABELS), {}, {})
    np.testing.assert_allclose(Probe.open(tmp_path / "found").text_states(TEXTS), Probe.open(tmp_path / "base").text_states(TEXTS), atol=1e-6)
