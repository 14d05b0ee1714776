"""Peak memory of a training."""

from __future__ import annotations


def peak_memory_mib(device: str) -> float:
    """MiB: on CUDA the peak that torch allocated, elsewhere what the process holds now."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20
