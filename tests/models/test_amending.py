"""Amended networks: erased states by hand, artifacts that keep the map, a body that takes it along, and self-debiasing against a loop without a cache."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

from tasks.models._transformers import AnsweringNetwork
from tasks.models.amending import Affine, amendments, doubting, erase
from tasks.models.artifact import LoadedModel, load_model, save_model
from tasks.models.batches import network_inputs
from tasks.models.continuing import Continued
from tasks.models.decoding import Decoding, Doubt
from tasks.models.generating import continuations
from tasks.models.model import ModelError, Started, TaskShape
from tasks.models.probing import Probe
from tests.distillation.tiny import encoder, network
from tests.models.exports import begun, exported, save
from tests.models.samples import BLOCKS, INTENT, LM, farthest, inputs

WIDTH = 16
PROMPTS = ("the ", "she met ")
GREEDY = Decoding(greedy=True, max_new_tokens=8)


def drawn(seed: int, rank: int = WIDTH - 3) -> tuple[Tensor, Tensor]:
    """A map that is not its own transpose and loses three dimensions, and a shift."""
    generator = torch.Generator().manual_seed(seed)
    left, right = torch.randn(2, WIDTH, rank, generator=generator) / rank**0.5
    return left @ right.T, torch.randn(WIDTH, generator=generator)


MATRIX, SHIFT = drawn(11)


def causal() -> Started:
    """A new causal network; every call makes the same one."""
    return begun(BLOCKS["gpt2"][0], LM)


def erased() -> Started:
    started = causal()
    erase(started.network, MATRIX, SHIFT)
    return started


def batch() -> dict[str, Tensor]:
    return inputs([6, 2, 4], 250)


def mapped(states: Tensor) -> Tensor:
    """Row by row: each number is a sum over a row of the matrix."""
    rows = states.reshape(-1, WIDTH)
    made = [torch.stack([(MATRIX[place] * row).sum() + SHIFT[place] for place in range(WIDTH)]) for row in rows]
    return torch.stack(made).reshape(states.shape)


def body_states(started: Started, found: dict[str, Tensor]) -> Tensor:
    """What the library's own body says, below every head and hook."""
    body: Any = started.network.body
    states: Tensor = body.transformer(**found).last_hidden_state
    return states


@torch.no_grad()
def test_an_erased_network_answers_from_its_erased_states() -> None:
    plain, changed, found = causal(), erased(), batch()
    before = body_states(plain, found)
    head: Any = plain.network.body.lm_head  # type: ignore[union-attr]
    expected = mapped(before) @ head.weight.T
    for tell in (False, True):
        changed.network.tell_states = tell  # type: ignore[assignment]
        answers = changed.network(**found)
        torch.testing.assert_close(answers["lm"], expected, atol=1e-4, rtol=1e-4)
        assert ("states" in answers) == tell
    torch.testing.assert_close(answers["states"], mapped(before), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(changed.network.states(**found), mapped(before), atol=1e-5, rtol=1e-4)  # type: ignore[operator]
    assert farthest(plain.network(**found), {"lm": expected}) > 0.1
    assert float((before @ MATRIX + SHIFT - mapped(before)).abs().max()) > 0.1  # the other way round would be seen


@torch.no_grad()
def test_an_encoders_heads_see_erased_states() -> None:
    plain, changed = (begun(BLOCKS["bert"][0], INTENT) for _ in range(2))
    erase(changed.network, MATRIX, SHIFT)
    found = inputs([6, 2, 4], plain.encoder.vocabulary_size)
    before = plain.network.states(**found)  # type: ignore[operator]
    torch.testing.assert_close(changed.network.states(**found), mapped(before), atol=1e-5, rtol=1e-4)  # type: ignore[operator]
    expected = plain.network.heads(mapped(before), found["attention_mask"])  # type: ignore[operator]
    assert farthest(changed.network(**found), expected) < 1e-4 < 0.01 < farthest(plain.network(**found), expected)


@torch.no_grad()
def test_a_second_map_follows_the_first() -> None:
    """It was fitted on states that the first had changed."""
    started, found = erased(), batch()
    once = started.network.states(**found)  # type: ignore[operator]
    second, shift = drawn(12)
    erase(started.network, second, shift)
    head: Any = started.network.body.lm_head  # type: ignore[union-attr]
    torch.testing.assert_close(started.network.states(**found), once @ second.T + shift, atol=1e-4, rtol=1e-4)  # type: ignore[operator]
    torch.testing.assert_close(started.network(**found)["lm"], (once @ second.T + shift) @ head.weight.T, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_a_copy_has_a_map_of_its_own() -> None:
    started, found = erased(), batch()
    before = started.network(**found)
    copied = copy.deepcopy(started.network)
    assert farthest(copied(**found), before) == 0
    copied.eraser = Affine(torch.zeros(WIDTH, WIDTH), torch.zeros(WIDTH))
    assert float(copied(**found)["lm"].abs().max()) == 0 and farthest(started.network(**found), before) == 0


@torch.no_grad()
def test_an_artifact_keeps_the_map(tmp_path: Path) -> None:
    started, found = erased(), batch()
    folder = save(tmp_path / "erased", started, LM)
    loaded = load_model(folder, "cpu")
    assert farthest(loaded.network(**found), started.network(**found)) == 0
    assert loaded.config["amended"] == {"erased": WIDTH}
    torch.testing.assert_close(loaded.network.states(**found), started.network.states(**found), atol=0, rtol=0)  # type: ignore[operator]
    again = load_model(save(tmp_path / "again", Started(loaded.model, loaded.encoder, loaded.network), LM), "cpu")
    assert farthest(again.network(**found), started.network(**found)) == 0
    plain = load_model(save(tmp_path / "plain", causal(), LM), "cpu")
    assert "amended" not in plain.config and amendments(plain.network) == {}
    assert farthest(plain.network(**found), started.network(**found)) > 0.1


TEXTS = ["she met her brother", "the lamp is new", "he", "a nurse"]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_body_takes_its_map_along_to_another_task(frozen: bool, tmp_path: Path) -> None:
    folder = save(tmp_path / "base", erased(), LM)
    started = Continued(kind="continued", frozen=frozen).start(INTENT, {"base": folder}, 3)
    trained = [name for name, value in started.network.named_parameters() if value.requires_grad]
    assert any(name.startswith("body.") for name in trained) != frozen and not any("eraser" in name for name in trained)
    base = Probe.open(folder)
    expected = base.text_states(TEXTS)
    save(tmp_path / "tuned", started, INTENT)
    for probe in (Probe(LoadedModel(started.model, started.encoder, started.network.eval(), INTENT, {})), Probe.open(tmp_path / "tuned")):
        np.testing.assert_allclose(probe.text_states(TEXTS), expected, atol=1e-5)
        by_hand = expected @ probe.network.state_dict()["heads.intent.weight"].double().numpy().T
        logits = by_hand + probe.network.state_dict()["heads.intent.bias"].double().numpy()
        np.testing.assert_allclose(probe.classify(TEXTS), np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-5)
    plain = Probe.open(save(tmp_path / "plain", causal(), LM))
    assert np.abs(plain.text_states(TEXTS) - expected).max() > 0.1


def test_a_recorded_model_of_the_same_task_goes_on_with_its_map(tmp_path: Path) -> None:
    folder = save(tmp_path / "base", erased(), LM)
    started = Continued(kind="continued").start(LM, {"base": folder}, 3)
    assert farthest(started.network.eval()(**batch()), erased().network(**batch())) == 0


@torch.no_grad()
def test_an_erased_model_writes_other_texts() -> None:
    """Greedy, with a cache, against the likeliest byte after one whole pass each."""
    plain, changed = causal(), erased()
    said = []
    for started in (plain, changed):
        found = continuations(started.network, started.encoder, PROMPTS, GREEDY, 1, 0, "cpu")
        said.append([one.texts for one in found])
        for prompt, one in zip(PROMPTS, found, strict=True):
            ids = [*started.encoder.head, *started.encoder.pieces(prompt.rstrip())[0]]
            start = len(ids)
            for _ in range(GREEDY.max_new_tokens):
                states = body_states(plain, network_inputs_of(ids))
                states = mapped(states) if started is changed else states
                ids.append(int((states[0, -1] @ plain.network.body.lm_head.weight.T).argmax()))  # type: ignore[union-attr,operator]
            assert one.texts == (started.encoder.decode([index for index in ids[start:] if index not in started.encoder.mark_ids]),)
    assert said[0] != said[1]


def network_inputs_of(ids: list[int]) -> dict[str, Tensor]:
    found = torch.tensor([ids])
    return network_inputs({"input_ids": found, "attention_mask": torch.ones_like(found, dtype=torch.bool), "position_ids": torch.arange(len(ids))[None]})


def test_what_transformers_cannot_say_is_exported_as_the_artifact_alone(tmp_path: Path) -> None:
    started = erased()
    contents = exported(save(tmp_path / "artifact", started, LM), tmp_path / "out")
    assert not contents.in_transformers and not contents.fast_tokenizer
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", "assay"]
    found = batch()
    assert farthest(load_model(tmp_path / "out" / "assay", "cpu").network(**found), started.network(**found)) == 0
    assert exported(save(tmp_path / "plain", causal(), LM), tmp_path / "whole").in_transformers  # it is the map that keeps a body away


def masked() -> nn.Module:
    config = BertConfig(vocab_size=30, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_position_embeddings=12)
    return AnsweringNetwork(BertForMaskedLM(config), "mlm")


@pytest.mark.parametrize("kind", ["masked", "linear", "bilstm"])
def test_a_network_without_such_states_is_refused_in_one_line(kind: str) -> None:
    of = masked() if kind == "masked" else begun(BLOCKS[kind][0], BLOCKS[kind][1]).network
    with pytest.raises(ModelError) as caught:
        erase(of, MATRIX, SHIFT)
    assert str(caught.value).startswith("only a causal language model or a transformer encoder") and "\n" not in str(caught.value)
    assert amendments(of) == {}


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def last(of: nn.Module, rows: list[list[int]]) -> NDArray[np.float64]:
    """(B, V) chances of the next token after rows of one length, read from their beginning."""
    ids = torch.tensor(rows)
    with torch.no_grad():
        answers = of(ids, torch.ones_like(ids, dtype=torch.bool), torch.arange(ids.shape[1]).expand(len(ids), -1))
    return softmax(answers["lm"][:, -1].double().numpy())


DOUBTS = [Doubt(prefix="everyone in the castle knows the nurse", decay=30.0, floor=0.3), Doubt(prefix="we met her", decay=9.0, floor=0.0)]


@pytest.mark.parametrize("amended", [False, True])
@pytest.mark.parametrize("doubt", DOUBTS)
def test_self_debiasing_is_its_formula_at_every_step(doubt: Doubt, amended: bool) -> None:
    model, read = network(), encoder()
    if amended:
        erase(model, MATRIX, SHIFT)
    head, behind = list(read.head), read.pieces(doubt.prefix)[0]
    texts = [read.pieces(text)[0][:6] for text in ("the lamp is new . it is hers", "we saw him and then we met")]
    processor, seen = doubting(model, read, doubt), []
    for step in range(3, 7):  # as a model writes: each step has read one token more
        rows = [[*head, *text[:step]] for text in texts]
        own, biased = last(model, rows), last(model, [[*head, *behind, *text[:step]] for text in texts])
        factor = np.maximum(np.exp(-doubt.decay * np.maximum(0, biased - own)), doubt.floor)
        expected = own * factor / (own * factor).sum(axis=1, keepdims=True)
        with torch.no_grad():
            scores = processor(torch.tensor(rows), torch.tensor(np.log(own), dtype=torch.float32) + 3.0)  # as logits: a constant says nothing
        np.testing.assert_allclose(softmax(scores.double().numpy()), expected, atol=1e-5)
        seen.append((factor, np.abs(own - expected)))
    factors = np.concatenate([factor for factor, _ in seen])
    assert max(moved.max() for _, moved in seen) > 0.01  # plain writing would be seen
    assert (factors == 1).any() and (factors < 1).any() and bool((factors == doubt.floor).any()) == (doubt.floor > 0)


@pytest.mark.parametrize("prefix", ["", "we met her", "everyone in the castle knows the nurse"])
def test_the_text_that_asks_for_bias_takes_its_room(prefix: str) -> None:
    """64 tokens in all: the prefix, the prompt with its mark, the eight that follow."""
    model, read = network(), encoder()
    if prefix:
        model.doubt = Doubt(prefix=prefix)  # type: ignore[assignment]
    prompts = [" ".join(["the"] * count) for count in range(44, 57)]
    lengths = [len(read.head) + len(read.pieces(prefix)[0]) + len(read.pieces(prompt)[0]) + 8 for prompt in prompts]
    assert 64 in lengths and 65 in lengths
    found = continuations(model, read, prompts, GREEDY, 1, 0, "cpu")
    assert [one.texts is None for one in found] == [length > 64 for length in lengths]


def test_an_artifact_keeps_its_doubt(tmp_path: Path) -> None:
    started, doubt = causal(), Doubt(prefix="he ", decay=100.0, floor=0.0)
    plain = continuations(started.network, started.encoder, PROMPTS, GREEDY, 1, 0, "cpu")
    started.network.doubt = doubt  # type: ignore[assignment]
    erase(started.network, *drawn(11))
    expected = continuations(started.network, started.encoder, PROMPTS, GREEDY, 1, 0, "cpu")
    (tmp_path / "doubting").mkdir()
    save_model(tmp_path / "doubting", started, LM, {}, {})
    loaded = load_model(tmp_path / "doubting", "cpu")
    assert loaded.network.doubt == doubt and loaded.config["amended"] == {"erased": WIDTH, "doubt": doubt.model_dump()}
    found = continuations(loaded.network, loaded.encoder, PROMPTS, GREEDY, 1, 0, "cpu")
    assert found == expected != plain
    assert json.loads((tmp_path / "doubting" / "config.json").read_text())["task"] == TaskShape("lm").task
