"""Checkpoints: all that a training needs to go on as if it had never stopped, in safetensors and JSON."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

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
    """

    step: int = 0
    seconds: float = 0.0
    examples: int = 0
    peak_memory_mib: float = 0.0
    best: float | None = None
    stale_epochs: int = 0
    stopped: bool = False


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def save(folder: Path, progress: Progress, network: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor]) -> None:
    """Write a checkpoint aside, rename it, then drop older ones: a kill leaves the old one or the new one."""
    tensors = {f"model/{name}": tensor for name, tensor in weights(network).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    aside = folder / f"aside-{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, str(aside / TENSORS))
    (aside / STATE).write_text(json.dumps(asdict(progress)))
    target = folder / f"step-{progress.step:09d}"
    if not target.exists():
        aside.rename(target)
    for other in folder.iterdir():
        if other != target:
            shutil.rmtree(other)


def load(folder: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Progress, dict[str, Tensor]]:
    """Put the newest checkpoint back; returns where it was and the best weights. A fresh Progress where there is none."""
    found = sorted(folder.glob("step-*"))
    if not found:
        return Progress(), {}
    tensors = load_file(str(found[-1] / TENSORS))
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        part, rest = name.split("/", 1)
        parts[part][rest] = tensor
    restore(network, parts["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, key = name.split("/", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**json.loads((found[-1] / STATE).read_text())), parts["best"]


@torch.no_grad()
def restore(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy tensors into the network."""
    for name, tensor in weights(network).items():
        tensor.copy_(tensors[name])
