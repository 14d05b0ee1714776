"""Published models: every family gets the positions it was trained with, full precision, and only safe weight files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from tasks.models.architectures.pretrained import Pretrained
from tasks.models.model import ModelError
from tests.models.samples import JOINT, LM, inputs, publish

SMALL = {"vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40}
GPT2 = {"vocab_size": 100, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "bos_token_id": 0, "eos_token_id": 0}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": SMALL,
    "roberta": {**SMALL, "pad_token_id": 1},
    "xlm-roberta": {**SMALL, "pad_token_id": 1},
    "mpnet": {**SMALL, "pad_token_id": 1},
    "electra": {**SMALL, "embedding_size": 16},
    "distilbert": {"vocab_size": 100, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 40},
    "gpt2": GPT2,
    "llama": {**SMALL, "num_key_value_heads": 2},
}


def block(source: Path, **fields: Any) -> Pretrained:
    tokenizer = {"kind": "hashing", "buckets": 90, "max_tokens": 30}
    return Pretrained.model_validate({"kind": "pretrained", "source": str(source), "tokenizer": tokenizer, **fields})


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_answers_are_those_of_the_published_model(family: str, tmp_path: Path) -> None:
    """The library, asked without positions, counts them as the family was trained; RoBERTa and its kin do not count from 0."""
    causal = family in ("gpt2", "llama")
    maker = AutoModelForCausalLM if causal else AutoModel
    torch.manual_seed(1)
    twin: Any = maker.from_config(AutoConfig.for_model(family, **FAMILIES[family]))  # type: ignore[no-untyped-call]
    twin.eval().save_pretrained(tmp_path / "source")
    started = block(tmp_path / "source").start(LM if causal else JOINT, {}, 0)
    found = inputs([6, 2, 4], 92, pad=1)
    expected = twin(input_ids=found["input_ids"], attention_mask=found["attention_mask"])
    started.network.eval()
    logits = started.network(**found)
    mask = found["attention_mask"].unsqueeze(-1)
    if causal:
        torch.testing.assert_close(logits["lm"] * mask, expected.logits * mask, atol=1e-5, rtol=1e-4)
        return
    states = expected.last_hidden_state
    heads: Any = started.network.heads
    torch.testing.assert_close(logits["slots"] * mask, heads.slots(states) * mask, atol=1e-5, rtol=1e-4)
    mean = torch.stack([states[row, :length].mean(dim=0) for row, length in enumerate((6, 2, 4))])
    torch.testing.assert_close(logits["intent"], heads.intent(mean), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_trained_in_full(dtype: torch.dtype, tmp_path: Path) -> None:
    source = publish(tmp_path / "source", JOINT, dtype)
    network = Pretrained.model_validate({"kind": "pretrained", "source": str(source)}).start(JOINT, {}, 0).network
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    network(**inputs([3, 2], 90))["intent"].sum().backward()


def test_weights_that_can_run_code_are_refused(tmp_path: Path) -> None:
    source = publish(tmp_path / "source", JOINT)
    block(source)
    (source / "model.safetensors").rename(tmp_path / "kept.safetensors")
    torch.save({}, source / "pytorch_model.bin")
    with pytest.raises(ValidationError, match=r"no \*\.safetensors there; other weight files are not read, since they can run code"):
        block(source)


def test_weights_that_turn_into_pickles_after_validation_are_refused_too(tmp_path: Path) -> None:
    source = publish(tmp_path / "source", JOINT)
    model = block(source)
    (source / "model.safetensors").rename(tmp_path / "kept.safetensors")
    torch.save({}, source / "pytorch_model.bin")
    with pytest.raises(ModelError, match="model ") as caught:
        model.start(JOINT, {}, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tokenizer", "line"),
    [
        ({"kind": "hashing", "buckets": 5000, "max_tokens": 30}, r"knows 300 tokens, its tokenizer gives 5002"),
        ({"kind": "hashing", "buckets": 90, "max_tokens": 65}, r"reads at most 64 tokens: lower model\.tokenizer\.max_tokens \(65\)"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(tokenizer: dict[str, Any], line: str, tmp_path: Path) -> None:
    source = publish(tmp_path / "source", JOINT)
    with pytest.raises(ModelError, match=line):
        block(source, tokenizer=tokenizer).start(JOINT, {}, 0)


def test_an_unknown_part_to_freeze_is_refused_with_those_there_are(tmp_path: Path) -> None:
    source = publish(tmp_path / "source", JOINT)
    with pytest.raises(ModelError, match=r"frozen: the model has no part 'embedings'; its parts are embeddings, encoder"):
        block(source, frozen=["embedings"]).start(JOINT, {}, 0)


@pytest.mark.parametrize("source", ["./absent", "/absent/folder", "a/b/c"])
def test_a_folder_that_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(ValidationError, match="no such folder"):
        Pretrained.model_validate({"kind": "pretrained", "source": source, "tokenizer": {"kind": "hashing"}})
