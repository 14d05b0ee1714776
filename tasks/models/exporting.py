"""A model artifact as a folder for others: what transformers can load, the artifact itself, and a card that states the guarantee."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from tasks.models.artifact import LoadedModel, open_model, read_facts, save_model
from tasks.models.finding import EXPORTED
from tasks.models.model import Started

if TYPE_CHECKING:
    from torch import nn

CARD, HEADS = "README.md", "heads.safetensors"
MARKS = {"pad_token": ("[PAD]", "<pad>"), "cls_token": ("[CLS]",), "sep_token": ("[SEP]",), "mask_token": ("[MASK]", "<mask>")}


@dataclass(frozen=True)
class Origin:
    """What the records say of a trained model; what they do not say is None or empty.

    Args:
        run: id of the trial's MLflow run.
        study, arm, seed: the trial.
        git_commit: of the code that made it.
        versions: of libraries, by name.
        data_digest: of the prepared data that it was trained and measured on.
        labels: ids of the rules that mark its numbers.
        base: the recorded model that its training began with, in words.
        metrics: measured numbers by name, bounds as ``_low`` and ``_high``.
        not_measured: reasons by the name of a number that could not be had.
    """

    run: str
    study: str | None = None
    arm: str | None = None
    seed: str | None = None
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    data_digest: str | None = None
    labels: str | None = None
    base: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    not_measured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """What an exported folder holds, for its card.

    Args:
        loaded: the model.
        settings: its block as plain values, without places on this machine.
        privacy, data, environment: the facts that stand in the artifact; ``data`` without ids.
        in_transformers: whether transformers loads the folder.
        fast_tokenizer: whether it holds a ``tokenizer.json``.
    """

    loaded: LoadedModel
    settings: dict[str, Any]
    privacy: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    in_transformers: bool
    fast_tokenizer: bool


def export_model(artifact: Path, folder: Path, origin: Origin | None = None) -> Contents:
    """Write the export of a model artifact into an empty folder and return what stands there. Raises ModelError for a folder that is none.

    ``assay/`` is the artifact without what only its training tells: the ids of members, the series, the costs. Beside it stand
    ``config.json``, ``model.safetensors``, ``heads.safetensors`` and the tokenizer, where transformers has the architecture.
    """
    from tasks.models._card import card

    loaded = open_model(artifact)
    privacy, environment = read_facts(artifact / "privacy.json"), read_facts(artifact / "environment.json")
    data = without_ids(read_facts(artifact / "data.json"))
    _keep_artifact(loaded, privacy, data, folder / EXPORTED)
    body = _body(loaded)
    if body is not None:
        _write_body(loaded, body, folder)
    fast = body is not None and _write_tokenizer(loaded, folder)
    settings = without_places(loaded.model.model_dump(mode="json"))
    contents = Contents(loaded, settings, privacy, data, environment, body is not None, fast)
    (folder / CARD).write_text(card(contents, origin), encoding="utf-8")
    return contents


def without_ids(data: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of training data without any list: ``members`` and its like tell who was there."""
    kept = {name: without_ids(value) if isinstance(value, Mapping) else value for name, value in data.items()}
    return {name: value for name, value in kept.items() if not isinstance(value, list)}


def without_places(value: Any) -> Any:
    """Plain values in which an absolute path is its last part alone: where files lay is nobody's business."""
    if isinstance(value, Mapping):
        return {name: without_places(one) for name, one in value.items()}
    if isinstance(value, list):
        return [without_places(one) for one in value]
    if isinstance(value, str) and (value.startswith("~") or PurePath(value).is_absolute()):
        return PurePath(value).name
    return value


def _keep_artifact(loaded: LoadedModel, privacy: Mapping[str, Any], data: Mapping[str, Any], folder: Path) -> None:
    """The artifact written anew from what was loaded, so that no other file of it can come along."""
    folder.mkdir()
    save_model(folder, Started(loaded.model, loaded.encoder, loaded.network), loaded.shape, privacy, data)
    for path in folder.rglob("config.json"):
        path.write_text(json.dumps(without_places(json.loads(path.read_text())), indent=1, ensure_ascii=False) + "\n")


def _body(loaded: LoadedModel) -> Any:
    """The network as transformers has it, adapters merged into the weights of a copy; None where it has no such architecture."""
    from tasks.models._seq2seq import Seq2SeqNetwork
    from tasks.models._transformers import CausalNetwork, EncoderNetwork
    from tasks.models.amending import amendments

    if not isinstance(loaded.network, CausalNetwork | EncoderNetwork | Seq2SeqNetwork) or amendments(loaded.network):
        return None  # transformers has no map between a body's states and its answers, and doubts nothing
    body: Any = loaded.network.body
    return copy.deepcopy(body).merge_and_unload() if hasattr(body, "merge_and_unload") else body


def _write_body(loaded: LoadedModel, body: Any, folder: Path) -> None:
    """``config.json``, ``model.safetensors`` and, where there are answers, ``heads.safetensors``."""
    from safetensors.torch import save_file
    from transformers.utils import logging

    names = loaded.shape.labels or loaded.shape.slots
    if names:
        body.config.id2label, body.config.label2id = dict(enumerate(names)), {name: place for place, name in enumerate(names)}
    if loaded.shape.slots:
        body.config.slot_labels = list(loaded.shape.slots)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    body.save_pretrained(folder)
    config = folder / "config.json"
    config.write_text(json.dumps(without_places(json.loads(config.read_text())), indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    heads: nn.Module | None = getattr(loaded.network, "heads", None)
    if heads is not None:
        save_file({name: tensor.contiguous() for name, tensor in heads.state_dict().items()}, str(folder / HEADS))


def _write_tokenizer(loaded: LoadedModel, folder: Path) -> bool:
    """``tokenizer.json`` and what transformers must know of it; False where the tokenizer is not one of its kind."""
    from tasks.text._huggingface import FastEncoder

    if not isinstance(loaded.encoder, FastEncoder):
        return False
    loaded.encoder.save(folder)
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")).get("added_tokens", [])
    special = {token["content"] for token in added if token.get("special")}
    marks = {name: mark for name, choices in MARKS.items() for mark in choices if mark in special}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": loaded.encoder.max_tokens, **marks}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return True
