"""Checkpoints: all that a training needs to go on as if it had never stopped, in safetensors and JSON."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

STATE, TENSORS = "state.json", "tensors.safetensors"


@dataclass
class Progress:
    """Where a training is, besides its tensors.

    Attributes:
        step: steps done.
        seconds: spent so far, all attempts together.
        examples: seen so far.
        peak_memory_mib: highest so far.
        best: best value of the early-stopping metric, or None.
        stale_epochs: epochs since the best.
        stopped: whether early stopping ended it.
        kept: what the gradient keeps beside the weights, as a clip norm that adapts.
    """

    step: int = 0
    seconds: float = 0.0
    examples: int = 0
    peak_memory_mib: float = 0.0
    best: float | None = None
    stale_epochs: int = 0
    stopped: bool = False
    kept: dict[str, float] = field(default_factory=dict)


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def save(folder: Path, progress: Progress, network: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor]) -> None:
    """Keep where a training is."""
    tensors = {f"model/{name}": tensor for name, tensor in weights(network).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    keep(folder, progress.step, tensors, asdict(progress))


def load(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Progress, dict[str, Tensor]]:
    """Put the newest checkpoint back; returns where it was and the best weights. A fresh Progress where there is none."""
    found = newest(folder)
    if found is None:
        return Progress(), {}
    parts = by_part(found.tensors)
    restore(network, parts["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts.get("optimizer", {}).items():
        index, key = name.split("/", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**found.state), parts.get("best", {})


@dataclass(frozen=True)
class Kept:
    """A checkpoint read back: tensors by name, and plain values."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


def keep(folder: Path, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint aside, rename it, then drop older ones: a kill leaves the old one or the new one."""
    aside = folder / f"aside-{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, str(aside / TENSORS))
    (aside / STATE).write_text(json.dumps(state))
    target = folder / f"step-{step:09d}"
    if not target.exists():
        aside.rename(target)
    for other in folder.iterdir():
        if other != target:
            shutil.rmtree(other)


def newest(folder: Path) -> Kept | None:
    """The newest checkpoint of a folder; None where there is none."""
    found = sorted(folder.glob("step-*"))
    return Kept(load_file(str(found[-1] / TENSORS)), json.loads((found[-1] / STATE).read_text())) if found else None


def by_part(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors by the first word of their names: ``model/...`` under ``model``."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, rest = name.split("/", 1)
        parts.setdefault(part, {})[rest] = tensor
    return parts


@torch.no_grad()
def restore(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy tensors into the network."""
    for name, tensor in weights(network).items():
        tensor.copy_(tensors[name])
