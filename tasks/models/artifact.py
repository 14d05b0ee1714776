"""The model artifact: everything that is needed to use a trained model, and the conditions it was trained under."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_model as load_weights
from safetensors.torch import save_model as save_weights

from tasks.models.amending import amend, amendments
from tasks.models.model import MODELS, Architecture, ModelError, Started, TaskShape

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model read back from its artifact, ready to predict."""

    model: Architecture
    encoder: TextEncoder
    network: nn.Module
    shape: TaskShape
    config: dict[str, Any]


def save_model(folder: Path, started: Started, shape: TaskShape, privacy: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Write ``config.json``, ``model.safetensors``, ``tokenizer/``, ``labels.json``, ``privacy.json`` and ``data.json``."""
    amended = amendments(started.network)
    _write(folder / "config.json", {"model": started.model.model_dump(mode="json"), "task": shape.task, **({"amended": amended} if amended else {})})
    _write(folder / "labels.json", {"labels": shape.labels, "slots": shape.slots})
    _write(folder / "privacy.json", privacy)
    _write(folder / "data.json", data)
    (folder / "tokenizer").mkdir()
    started.encoder.save(folder / "tokenizer")
    _write(folder / "tokenizer" / "config.json", started.model.tokenizer.model_dump(mode="json"))
    started.model.save_extra(started.network, folder)
    save_weights(started.network, str(folder / WEIGHTS))


def load_model(folder: Path, device: str) -> LoadedModel:
    """The model of an artifact, in evaluation mode on a device. Raises ModelError for a folder that is none."""
    try:
        config = json.loads((folder / "config.json").read_text())
        answers = json.loads((folder / "labels.json").read_text())
        values = config["model"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: not a model artifact ({type(error).__name__})") from error
    model = MODELS.members()[values["kind"]].model_validate(values, context={"saved": True})
    assert isinstance(model, Architecture)
    shape = TaskShape(config["task"], tuple(answers["labels"]), tuple(answers["slots"]))
    encoder = model.tokenizer.build(folder / "tokenizer")
    network = model.rebuild(shape, encoder, folder)
    amend(network, config.get("amended", {}))
    load_weights(network, str(folder / WEIGHTS))
    return LoadedModel(model, encoder, network.to(device).eval(), shape, config)


def open_model(artifact: Path) -> LoadedModel:
    """The model of a folder that may hold anything, on the processor. Raises ModelError with what is wrong with it."""
    from pydantic import ValidationError
    from safetensors import SafetensorError

    try:
        return load_model(artifact, "cpu")
    except ModelError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:  # a broken file, an unknown kind, other weights
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        reason = " ".join(reason.split())[:200]
        raise ModelError(f"{artifact}: its model cannot be loaded ({type(error).__name__}: {reason})") from error


def read_facts(path: Path) -> dict[str, Any]:
    """A file of facts beside a model, none where it is absent. Raises ModelError for one that cannot be read."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: not an object of facts")
    return found


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
