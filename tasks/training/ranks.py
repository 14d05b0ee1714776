"""Several processes at one training: each takes its part of a batch, the parts are added up, noise is drawn once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from tasks.core.errors import UserError

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others; the first one alone reads and writes checkpoints, which takes its time."""


class RankLost(UserError):
    """Another process of this training has ended, or does not answer."""


_broken = Event()


def meeting(folder: Path, count: int) -> Any:
    """The store by which ``count`` processes find each other, in a folder of their own."""
    return dist.FileStore(str(folder / "store"), count)  # type: ignore[attr-defined]


def join(store: Any, rank: int, count: int, device: str) -> None:
    """Become one of ``count`` processes of this machine, which met by the store and talk over loopback alone. Raises RankLost."""
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ.update({"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback, "TORCH_NCCL_BLOCKING_WAIT": "1"})
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    _together(lambda: dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE))


def leave() -> None:
    """Be a single process again."""
    if dist.is_initialized():
        dist.destroy_process_group()
    _broken.clear()


def break_off() -> None:
    """Another process has ended: whatever this one waits for, or asks next, raises RankLost. May be called by another thread."""
    _broken.set()
    group = dist.group.WORLD
    if group is not None and "nccl" in dist.get_backend_config(group):  # it waits for ever; gloo sees that a connection was closed
        group._get_backend(torch.device("cuda")).abort()


def count() -> int:
    """How many processes there are; one where no group was joined."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if count() > 1 else 0


def add_up(tensors: Iterable[Tensor]) -> None:
    """Every tensor becomes its sum over all processes, to the bit the same in each. Raises RankLost."""
    if count() == 1:
        return
    found = list(tensors)
    flat = torch.cat([value.flatten() for value in found])
    _together(lambda: dist.all_reduce(flat))
    for value, whole in zip(found, torch.split(flat, [value.numel() for value in found]), strict=True):
        value.copy_(whole.view_as(value))


def of_first(values: dict[str, float]) -> dict[str, float]:
    """The first process's numbers in every process, so that all decide alike. Raises RankLost."""
    if count() == 1:
        return values
    told = torch.tensor(list(values.values()), dtype=torch.float64)
    _together(lambda: dist.broadcast(told, src=0))
    return dict(zip(values, told.tolist(), strict=True))


def _together(ask: Callable[[], object]) -> None:
    """Ask for what needs all processes. After ``break_off`` it may give anything: it is not believed."""
    try:
        ask()
    except RuntimeError as error:
        raise RankLost("another process of this training does not answer") from error
    if _broken.is_set():
        raise RankLost("another process of this training has ended")
