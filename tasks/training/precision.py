"""Which number format a training uses."""

from __future__ import annotations

from pathlib import Path


def resolve(wanted: str, device: str, transformer: bool) -> str:
    """``fp32`` or ``bf16``. ``auto`` takes bf16 on CUDA that has it, and on a processor with bf16 matrix instructions for
    transformers only: elsewhere it is not faster.
    """
    import torch

    if wanted != "auto":
        return wanted
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device == "cpu" and transformer and _processor_has_bf16() else "fp32"


def _processor_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AVX-512 BF16 or AMX), from what the system says."""
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="ignore") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
