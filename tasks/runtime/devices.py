"""Which device a process works on: one process per device, held for the life of the process."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.errors import UserError

_held: dict[str, object] = {}


def available(wanted: str) -> list[str]:
    """The devices that ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` stands for. Raises UserError where there is none."""
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if wanted == "auto":
        return gpus or (["mps"] if torch.backends.mps.is_available() else ["cpu"])
    if wanted == "cuda" and gpus:
        return gpus
    if wanted == "cpu" or wanted in gpus or (wanted == "mps" and torch.backends.mps.is_available()):
        return [wanted]
    raise UserError(f"device {wanted}: not on this machine (there is {', '.join(gpus) or 'cpu'})")


def pool_size(wanted: int | str, device: str) -> int:
    """How many processes work side by side; ``auto`` is one per accelerator, on processors two, or one where there is one core."""
    if wanted != "auto":
        return int(wanted)
    if device == "cpu" or not may_have_accelerator():
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(2, cores)
    return len(available(device))


def claim(wanted: str, locks: Path) -> str:
    """The device of this process. An accelerator is taken by a lock that ends with the process; a processor is shared."""
    import filelock

    devices = available(wanted)
    for device in devices:
        if device in _held or not device.startswith("cuda"):
            return device
        locks.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(locks / f"device-{device.replace(':', '-')}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            continue
        _held[device] = lock
        return device
    lock = filelock.FileLock(locks / f"device-{devices[0].replace(':', '-')}.lock")
    lock.acquire()
    _held[devices[0]] = lock
    return devices[0]


def may_have_accelerator() -> bool:
    """Whether the machine may have an accelerator, without importing torch."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or os.uname().sysname == "Darwin"
