"""Small networks of every architecture, and batches with padding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BartConfig, BartForConditionalGeneration, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

from tasks.models.model import MODELS, Model, Started, TaskShape
from tasks.text._huggingface import fit
from tests.text.corpus import PLAIN

JOINT = TaskShape("joint", ("a", "b", "c"), ("O", "B-x", "I-x", "B-y"))
INTENT = TaskShape("intent", ("a", "b", "c"))
LM = TaskShape("lm")
QA = TaskShape("qa")
SEQ2SEQ = TaskShape("seq2seq")
BUCKETS = {"kind": "hashing", "buckets": 60, "max_tokens": 12}
LORA = {"kind": "lora", "rank": 2, "dropout": 0.1}

BLOCKS: dict[str, tuple[dict[str, Any], TaskShape]] = {
    "linear": ({"kind": "linear", "bigram_buckets": 50, "tokenizer": BUCKETS}, INTENT),
    "bilstm": ({"kind": "bilstm", "embedding_size": 6, "hidden_size": 5, "layers": 2, "tokenizer": BUCKETS}, JOINT),
    "bilstm-characters": (
        {"kind": "bilstm", "embedding_size": 4, "hidden_size": 5, "characters": {"size": 3, "filters": 4}, "tokenizer": {"kind": "pretrained"}},
        JOINT,
    ),
    "bert": ({"kind": "bert", "layers": 2, "hidden_size": 16, "heads": 2, "tokenizer": BUCKETS}, JOINT),
    "gpt2": ({"kind": "gpt2", "layers": 2, "hidden_size": 16, "heads": 2, "tokenizer": {"kind": "bytes", "max_tokens": 24}}, LM),
    "bert-qa": ({"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "tokenizer": BUCKETS}, QA),
    "bart": ({"kind": "bart", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0, "tokenizer": {"kind": "bytes", "max_tokens": 24}}, SEQ2SEQ),
    "published": ({"kind": "pretrained"}, JOINT),
    "published-lm": ({"kind": "pretrained"}, LM),
    "lora": ({"kind": "pretrained", "adapter": LORA}, JOINT),
    "lora-lm": ({"kind": "pretrained", "adapter": LORA}, LM),
    "bitfit": ({"kind": "pretrained", "adapter": {"kind": "bitfit"}}, JOINT),
    "bitfit-lm": ({"kind": "pretrained", "adapter": {"kind": "bitfit"}}, LM),
    "last-layers": ({"kind": "pretrained", "adapter": {"kind": "last-layers"}}, JOINT),
    "frozen": ({"kind": "pretrained", "frozen": ["embeddings", "encoder.layer.0"]}, JOINT),
}


def publish(folder: Path, shape: TaskShape, dtype: torch.dtype = torch.float32) -> Path:
    """A tiny BERT, GPT-2 for language modelling or BART for sequence to sequence, with its tokenizer, as a publisher would save it."""
    torch.manual_seed(0)
    tokenizer = fit(PLAIN, 300)
    sizes: dict[str, Any] = {"vocab_size": tokenizer.get_vocab_size()}
    body: Any
    if shape.task == "lm":
        body = GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=0, **sizes))
    elif shape.task == "seq2seq":
        of: dict[str, Any] = {
            f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))
        }
        marks: dict[str, Any] = {name: place for place, name in enumerate(("pad_token_id", "bos_token_id", "eos_token_id"))}
        body = BartForConditionalGeneration(BartConfig(d_model=16, max_position_embeddings=64, dropout=0, decoder_start_token_id=2, **marks, **of, **sizes))
    else:
        config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=64, **sizes)
        body = BertModel(config)
    body.to(dtype).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}')
    return folder


def block(name: str, folder: Path) -> tuple[Model, TaskShape]:
    """The model block of a name in ``BLOCKS``; published weights and tokenizers are made in the folder."""
    values, shape = BLOCKS[name]
    if "pretrained" in (values["kind"], values.get("tokenizer", {}).get("kind")):
        source = {"kind": "pretrained", "source": str(publish(folder / f"published-{name}", shape))}
        values = {**values, **source} if values["kind"] == "pretrained" else {**values, "tokenizer": source}
    model = MODELS.parse(values)
    assert isinstance(model, Model)
    return model, shape


def start(name: str, folder: Path, seed: int = 1) -> tuple[Started, TaskShape]:
    """A started model of a name in ``BLOCKS``, with weights that are not zero anywhere."""
    model, shape = block(name, folder)
    started = model.start(shape, {}, seed)
    with torch.no_grad():
        for parameter in started.network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
    return started, shape


def inputs(lengths: list[int], vocabulary: int, extra: int = 0, pad: int = 0) -> dict[str, Tensor]:
    """Random ids of some lengths, padded at the end to the longest and ``extra`` more."""
    longest = max(lengths) + extra
    ids = torch.randint(4, vocabulary, (len(lengths), longest), generator=torch.Generator().manual_seed(3))
    positions = torch.arange(longest).expand(len(lengths), longest)
    mask = positions < torch.tensor(lengths).unsqueeze(1)
    return {"input_ids": ids.masked_fill(~mask, pad), "attention_mask": mask, "position_ids": positions}


def gradients(network: nn.Module) -> dict[str, Tensor]:
    """Gradients by name, zero where there is none."""
    return {name: torch.zeros_like(value) if value.grad is None else value.grad.clone() for name, value in network.named_parameters() if value.requires_grad}


def farthest(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """The largest difference between two sets of tensors with the same names."""
    assert first.keys() == second.keys()
    return max((float((first[name] - second[name]).detach().abs().max()) for name in first), default=0.0)
