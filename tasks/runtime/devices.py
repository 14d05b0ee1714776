"""Which devices a process works on: they are its own, held for the life of the process."""

from __future__ import annotations

import os
from collections.abc import Sequence
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


def pool_size(wanted: int | str, device: str, together: int = 1) -> int:
    """How many steps run side by side, of ``together`` processes each; ``auto`` has one process per accelerator, on processors two, or one where there is
    one core, and always one step.
    """
    if wanted != "auto":
        return int(wanted)
    if device == "cpu" or not may_have_accelerator():
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(2, cores) // together)
    return max(1, len(available(device)) // together)


def claim(wanted: str, locks: Path, together: int = 1) -> str:
    """The device of this process, the first of ``together`` in a row for as many processes that train as one. Accelerators are taken by locks that end
    with the process; a processor is shared. Raises UserError where there are too few.
    """
    devices = available(wanted)
    if devices == ["cpu"] or (devices == ["mps"] and together == 1):
        return devices[0]
    groups = [devices[first : first + together] for first in range(0, len(devices) - together + 1, together)]
    if not groups:
        raise UserError(
            f"execution.processes_per_training: {together} need as many GPUs, device {wanted} is {', '.join(devices)}: lower it, or write device: cpu"
        )
    groups.sort(key=lambda group: group[0] not in _held)
    for group in groups:
        if _take(group, locks, timeout=0):
            return group[0]
    _take(groups[0], locks, timeout=-1)
    return groups[0][0]


def _take(group: Sequence[str], locks: Path, timeout: float) -> bool:
    """Hold all devices of a group, or none more than before. Always in one order, so that two processes never wait for each other."""
    import filelock

    locks.mkdir(parents=True, exist_ok=True)
    taken = {device: filelock.FileLock(locks / f"device-{device.replace(':', '-')}.lock") for device in group if device not in _held}
    for lock in taken.values():
        try:
            lock.acquire(timeout=timeout)
        except filelock.Timeout:
            for other in taken.values():
                other.release()
            return False
    _held.update(taken)
    return True


def may_have_accelerator() -> bool:
    """Whether the machine may have an accelerator, without importing torch."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or os.uname().sysname == "Darwin"
