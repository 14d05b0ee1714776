"""An exported folder answers as the model did, in transformers and in Assay, and tells nothing of who was in the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from tasks.models.artifact import load_model
from tasks.models.exporting import without_ids, without_places
from tasks.models.model import ModelError
from tasks.text._huggingface import fit
from tests.models.exports import DATA, MEMBER, begun, export_sample, exported, holding, save
from tests.models.samples import BLOCKS, INTENT, JOINT, LM, farthest, inputs, start
from tests.models.test_published import FAMILIES
from tests.models.test_published import block as published
from tests.text.corpus import ODD, PLAIN, SENTENCES

NAMES = sorted(BLOCKS)
CAUSAL = ["gpt2", "lora-lm", "published-lm"]
ENCODERS = ["bert", "frozen", "lora", "published"]
FAST = ["lora", "lora-lm", "published", "published-lm"]


def close(name: str) -> float:
    return 1e-4 if name.startswith("lora") else 1e-5


def states_of(network: Any, found: dict[str, Tensor]) -> Tensor:
    """Its first answer, hidden states or logits, where there is a token."""
    answer: Tensor = network(input_ids=found["input_ids"], attention_mask=found["attention_mask"])[0]
    return answer * found["attention_mask"].unsqueeze(-1)


@pytest.mark.parametrize("name", ENCODERS)
def test_transformers_loads_an_encoder_with_equal_states_and_answers(name: str, tmp_path: Path) -> None:
    started, shape, out = export_sample(name, tmp_path)
    network: Any = started.network
    found = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    with torch.no_grad():
        states = states_of(AutoModel.from_pretrained(out), found)
        expected = states_of(network.body, found)
        torch.testing.assert_close(states, expected, atol=close(name), rtol=0)
        heads, answers = load_file(out / "heads.safetensors"), network(**found)
    assert sorted(heads) == ["intent.bias", "intent.weight", "slots.bias", "slots.weight"]
    mean = states.sum(dim=1) / found["attention_mask"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(mean @ heads["intent.weight"].T + heads["intent.bias"], answers["intent"], atol=close(name), rtol=1e-4)
    mask = found["attention_mask"].unsqueeze(-1)
    torch.testing.assert_close((states @ heads["slots.weight"].T + heads["slots.bias"]) * mask, answers["slots"] * mask, atol=close(name), rtol=1e-4)
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "a", "1": "b", "2": "c"} and config["label2id"] == {"a": 0, "b": 1, "c": 2}
    assert config["slot_labels"] == list(JOINT.slots) and shape == JOINT


@pytest.mark.parametrize("name", CAUSAL)
def test_transformers_loads_a_causal_model_with_equal_logits(name: str, tmp_path: Path) -> None:
    started, _, out = export_sample(name, tmp_path)
    found = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    mask = found["attention_mask"].unsqueeze(-1)
    with torch.no_grad():
        logits = states_of(AutoModelForCausalLM.from_pretrained(out), found)
        torch.testing.assert_close(logits, started.network(**found)["lm"] * mask, atol=close(name), rtol=0)
    assert not (out / "heads.safetensors").exists()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_published_family_is_loaded_with_equal_answers(family: str, tmp_path: Path) -> None:
    """Positions are left to the library, which counts them as the family was trained."""
    shape = LM if family in ("gpt2", "llama") else JOINT
    maker = AutoModelForCausalLM if shape == LM else AutoModel
    maker.from_config(AutoConfig.for_model(family, **FAMILIES[family])).save_pretrained(tmp_path / "source")  # type: ignore[no-untyped-call]
    started = begun(published(tmp_path / "source").model_dump(), shape)
    exported(save(tmp_path / "artifact", started, shape), tmp_path / "out")
    found = inputs([6, 2, 4], 92, pad=1)
    mask = found["attention_mask"].unsqueeze(-1)
    with torch.no_grad():
        answer, expected = states_of(maker.from_pretrained(tmp_path / "out"), found), started.network(**found)
    if shape == JOINT:
        heads = load_file(tmp_path / "out" / "heads.safetensors")
        answer = (answer @ heads["slots.weight"].T + heads["slots.bias"]) * mask
    torch.testing.assert_close(answer, expected["lm" if shape == LM else "slots"] * mask, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["lora", "lora-lm"])
def test_an_adapter_that_is_not_merged_would_be_seen(name: str, tmp_path: Path) -> None:
    """The control of the tests above: without its adapters the body answers otherwise. And what was merged was a copy."""
    started, _, _ = export_sample(name, tmp_path)
    network: Any = started.network
    found = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    with torch.no_grad():
        whole = states_of(network.body, found)
        with network.body.disable_adapter():
            assert float((states_of(network.body, found) - whole).abs().max()) > 1e-2


@pytest.mark.parametrize("name", FAST)
def test_transformers_reads_text_as_we_do(name: str, tmp_path: Path) -> None:
    started, _, out = export_sample(name, tmp_path)
    check_tokenizer(started.encoder, out)


def test_a_tokenizer_of_our_own_corpus_is_read_as_we_do(tmp_path: Path) -> None:
    (tmp_path / "fitted").mkdir()
    fit(PLAIN, 320).save(str(tmp_path / "fitted" / "tokenizer.json"))
    corpus = {"kind": "synthetic-assistant", "task": "lm"}
    block = {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "tokenizer": {"kind": "trained", "corpus": corpus, "max_tokens": 20}}
    started = begun(block, JOINT, {"tokenizer": tmp_path / "fitted"})
    exported(save(tmp_path / "artifact", started, JOINT), tmp_path / "out")
    check_tokenizer(started.encoder, tmp_path / "out")


def check_tokenizer(encoder: Any, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.model_max_length == encoder.max_tokens and tokenizer.pad_token_id == encoder.pad_id
    texts = [*PLAIN, *ODD]
    assert tokenizer(texts, truncation=True)["input_ids"] == encoder.encode(texts)
    assert any(len(ids) == encoder.max_tokens for ids in encoder.encode(texts))  # so that another length would be seen
    for words, (ids, index) in zip(SENTENCES, encoder.encode_words(SENTENCES), strict=True):
        read = tokenizer(words, is_split_into_words=True, truncation=True)
        assert read["input_ids"] == ids
        owners = read.word_ids()
        assert {owners.index(word): word for word in range(len(words)) if word in owners} == {place: word for place, word in enumerate(index) if word >= 0}


@pytest.mark.parametrize("name", ["bert", "gpt2", "linear", "bilstm"])
def test_a_tokenizer_that_is_not_transformers_stands_in_the_artifact_alone(name: str, tmp_path: Path) -> None:
    _, _, out = export_sample(name, tmp_path)
    assert not (out / "tokenizer.json").exists() and (out / "assay" / "tokenizer" / "config.json").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_artifact_stands_beside_it_and_answers_as_before(name: str, tmp_path: Path) -> None:
    started, shape, out = export_sample(name, tmp_path)
    loaded = load_model(out / "assay", "cpu")
    found = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    assert farthest(started.network(**found), loaded.network(**found)) == 0
    assert loaded.shape == shape and loaded.encoder.encode(PLAIN) == started.encoder.encode(PLAIN)
    again = exported(out / "assay", tmp_path / "again")  # what was exported can be exported
    assert again.in_transformers == (BLOCKS[name][0]["kind"] not in ("linear", "bilstm"))
    assert {path.suffix for path in out.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".md"}


@pytest.mark.parametrize("name", ["linear", "bilstm", "bilstm-characters"])
def test_an_architecture_that_no_library_has_is_only_the_artifact(name: str, tmp_path: Path) -> None:
    _, _, out = export_sample(name, tmp_path)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "assay"]


@pytest.mark.parametrize("name", ["bert", "bilstm", "linear", "lora", "published-lm"])
def test_nothing_tells_who_was_in_the_training(name: str, tmp_path: Path) -> None:
    _, _, out = export_sample(name, tmp_path)
    for told in (MEMBER, DATA["members"][1], "train/loss", "989487f44c6d03f442447cd174fb6eeb"):
        assert holding(out, told) == []
        assert holding(tmp_path / "artifact", told)  # the search finds it where it stands
    kept = json.loads((out / "assay" / "data.json").read_text())
    assert kept == {key: value for key, value in DATA.items() if key != "members"}
    (out / "assay" / "planted.json").write_text(f'["{MEMBER}"]')
    assert holding(out, MEMBER) == ["assay/planted.json"]


def test_no_list_of_ids_is_kept_wherever_it_stands() -> None:
    assert without_ids({"kind": "k", "held": ["a"], "more": {"ids": ["b"], "n": 2}}) == {"kind": "k", "more": {"n": 2}}


@pytest.mark.parametrize("name", ["lora", "published-lm"])
def test_nothing_tells_where_files_lay(name: str, tmp_path: Path) -> None:
    _, _, out = export_sample(name, tmp_path)
    assert holding(out, str(tmp_path)) == [] and holding(tmp_path / "artifact", str(tmp_path))
    assert without_places({"a": ["/home/me/x.csv", "org/name", "~/x"], "b": 1}) == {"a": ["x.csv", "org/name", "x"], "b": 1}


def test_weights_of_another_model_or_broken_facts_give_one_line(tmp_path: Path) -> None:
    started, shape = start("linear", tmp_path)
    artifact = save(tmp_path / "artifact", started, shape)
    good = {path: path.read_bytes() for path in artifact.rglob("*") if path.is_file()}
    broken = {
        "model.safetensors": (b"no weights", "its model cannot be loaded (SafetensorError: "),
        "config.json": (b'{"model": {"kind": "none"}, "task": "intent"}', "its model cannot be loaded (KeyError: "),
        "privacy.json": (b"{", "privacy.json: cannot be read (JSONDecodeError)"),
        "data.json": (b"[]", "data.json: not an object of facts"),
        "labels.json": (b'{"labels": ["a"], "slots": []}', "its model cannot be loaded (RuntimeError: "),
    }
    for number, (name, (content, line)) in enumerate(broken.items()):
        (artifact / name).write_bytes(content)
        with pytest.raises(ModelError) as caught:
            exported(artifact, tmp_path / f"out-{number}")
        assert line in str(caught.value) and "\n" not in str(caught.value)
        (artifact / name).write_bytes(good[artifact / name])
    exported(artifact, tmp_path / "whole")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="not a model artifact"):
        exported(tmp_path / "empty", tmp_path / "none")


def test_a_block_that_is_refused_says_why(tmp_path: Path) -> None:
    started = begun({"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2}, INTENT)
    artifact = save(tmp_path / "artifact", started, INTENT)
    (artifact / "config.json").write_text((artifact / "config.json").read_text().replace('"heads": 2', '"heads": 3'))
    with pytest.raises(ModelError, match=r"ValidationError: Value error, hidden_size must be a multiple of heads"):
        exported(artifact, tmp_path / "out")
