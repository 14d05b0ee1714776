"""Published models: loaded from safetensors, adapted, partly frozen, saved so that they need their source no more."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tasks.core.seeds import torch_seeded
from tasks.models._heads import heads_of
from tasks.models._seq2seq import Seq2SeqNetwork
from tasks.models._transformers import AnsweringNetwork, CausalNetwork, EncoderNetwork, LastTokenNetwork
from tasks.models.model import ModelError, TaskShape

if TYPE_CHECKING:
    from tasks.text.tokenizer import TextEncoder

BODY = "body"
ANSWER = {"intent": "intent", "tagging": "slots"}
"""What a published model's own labels are under, by task."""


def pretrained_network(block: Any, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
    """The published weights with answer layers that follow from the seed. Raises ModelError."""
    with torch_seeded(seed, "initialise"):
        body = _published(block, shape)
        _check_sizes(block, body, encoder)
        return _finished(block, shape, body)


def rebuilt_network(block: Any, shape: TaskShape, folder: Path) -> nn.Module:
    """The same network without its weights, from the configuration that was saved."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder / BODY)
    body: nn.Module = _maker(block, shape).from_config(config, dtype=torch.float32)
    return _finished(block, shape, body)


def save_body(network: nn.Module, folder: Path) -> None:
    """Write the body's configuration."""
    config: Any = network.get_submodule("body").config
    (folder / BODY).mkdir()
    config.save_pretrained(folder / BODY)


def _published(block: Any, shape: TaskShape) -> nn.Module:
    """In fp32 whatever it was published in: half-precision weights would lose small updates, and do not fit new answer layers. Raises ModelError."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    safe = {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
    maker = _maker(block, shape)
    try:
        body, told = maker.from_pretrained(block.source, revision=block.revision, dtype=torch.float32, **safe)
    except Exception as error:
        raise ModelError(f"model {block.source}: {str(error).strip().splitlines()[0][:200]}") from error
    if block.answers == "own":
        _check_own(block, shape, body.config, told["missing_keys"])
    found: nn.Module = body
    return found


def _maker(block: Any, shape: TaskShape) -> Any:
    """The library's class of bodies for a task. Raises ModelError where a published model has no answers to it."""
    import transformers

    makers = {"lm": transformers.AutoModelForCausalLM, "mlm": transformers.AutoModelForMaskedLM, "seq2seq": transformers.AutoModelForSeq2SeqLM}
    if block.answers == "own":
        makers |= {"intent": transformers.AutoModelForSequenceClassification, "tagging": transformers.AutoModelForTokenClassification}
        if shape.task not in makers:
            raise ModelError(f"model.answers: a published model has no answers of its own for task '{shape.task}': take new ones")
    return makers.get(shape.task, transformers.AutoModel)


def own_labels(config: Any) -> tuple[str, ...]:
    """What a published classifier or tagger answers with, in the order of its logits; nothing where that is not one label of several, but numbers or
    many labels at once."""
    labels = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    one = config.problem_type in (None, "single_label_classification") and 1 < len(labels) == len(set(labels))
    return labels if one else ()


def _check_own(block: Any, shape: TaskShape, config: Any, missing: Iterable[str]) -> None:
    """Raises ModelError where the published answers are none, or not the task's."""
    lacking = sorted(missing)
    if lacking:
        raise ModelError(f"model {block.source}: it was published without trained answers for task '{shape.task}' ({lacking[0]} is missing)")
    own, labels = own_labels(config), shape.labels or shape.slots
    if shape.task in ANSWER and own != labels:
        said = ", ".join(own[:5]) or "numbers, or many labels at once"
        raise ModelError(f"model {block.source}: it answers with {said}; the data has {', '.join(labels[:5])}: the labels and their order must be the same")


def _check_sizes(block: Any, body: nn.Module, encoder: TextEncoder) -> None:
    """Raises ModelError where the tokenizer gives ids or lengths that the model has no vectors for."""
    config: Any = body.config
    if encoder.vocabulary_size > config.vocab_size:
        raise ModelError(f"model {block.source} knows {config.vocab_size} tokens, its tokenizer gives {encoder.vocabulary_size}: use the model's own tokenizer")
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and encoder.max_tokens > longest - _first_position(body):
        raise ModelError(
            f"model {block.source} reads at most {longest - _first_position(body)} tokens: lower model.tokenizer.max_tokens ({encoder.max_tokens})"
        )


def _first_position(body: nn.Module) -> int:
    """Where a family counts positions from: RoBERTa and its kin after the padding's vector, all others from 0."""
    for name, module in body.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.padding_idx + 1
    return 0


def _finished(block: Any, shape: TaskShape, body: nn.Module) -> nn.Module:
    hidden_size, first = int(body.config.hidden_size), _first_position(body)  # type: ignore[union-attr,arg-type]
    if block.adapter.kind == "lora":
        body = _adapted(block, body)
    elif block.adapter.kind == "bitfit":
        _train_alone(body, [name for name, _ in body.named_parameters() if name.endswith("bias")], "adapter: bitfit: the model has no biases")
    elif block.adapter.kind == "last-layers":
        _train_alone(body, _last(body, block.adapter.layers), "adapter: last-layers: the model has no list of blocks")
    network = _network(block, shape, body, hidden_size, first)
    for part in block.frozen:
        _freeze(network, part)
    return network


def _network(block: Any, shape: TaskShape, body: nn.Module, hidden_size: int, first: int) -> nn.Module:
    if shape.task == "lm":
        return CausalNetwork(body)
    if shape.task == "seq2seq":
        return Seq2SeqNetwork(body)
    if shape.task == "mlm":
        return AnsweringNetwork(body, "mlm", first)
    if block.answers == "new":
        return EncoderNetwork(body, heads_of(shape, hidden_size, block.dropout), first)
    return LastTokenNetwork(body) if shape.task == "intent" and hasattr(body, "score") else AnsweringNetwork(body, ANSWER[shape.task], first)


def _adapted(block: Any, body: nn.Module) -> nn.Module:
    from peft import LoraConfig, get_peft_model

    adapter = block.adapter
    targets = list(adapter.targets) or "all-linear"
    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=targets)
    with warnings.catch_warnings():  # peft reads a name that transformers renamed, and tells that it sets GPT-2's layout by itself
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to", category=UserWarning)
        adapted: nn.Module = get_peft_model(body, config)
    return adapted


def _train_alone(body: nn.Module, names: list[str], lacking: str) -> None:
    """Stop training all other parameters. Raises ModelError where there are none to train."""
    if not names:
        raise ModelError(lacking)
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(name in names)


def _last(body: nn.Module, layers: int) -> list[str]:
    """The parameters of the last blocks and of what comes after them. A head that is tied to the embedding counts as the embedding. Raises ModelError."""
    lists = [(name, module) for name, module in body.named_modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        return []
    name, blocks = max(lists, key=lambda found: len(found[1]))
    if layers > len(blocks):
        raise ModelError(f"adapter: last-layers: the model has {len(blocks)} blocks, and the last {layers} are to be trained")
    ordered = [parameter for parameter, _ in body.named_parameters()]
    return ordered[next(place for place, parameter in enumerate(ordered) if parameter.startswith(f"{name}.{len(blocks) - layers}.")) :]


def _freeze(network: nn.Module, part: str) -> None:
    """Stop training the parameters whose dotted name contains the part. Raises ModelError where there is none."""
    found = [parameter for name, parameter in network.named_parameters() if f".{part}." in f".{name}."]
    if not found:
        tops = sorted({name.split(".")[1] for name, _ in network.named_parameters() if "." in name})
        raise ModelError(f"frozen: the model has no part '{part}'; its parts are {', '.join(tops)}")
    for parameter in found:
        parameter.requires_grad_(False)
