"""Which number format ``auto`` takes: bf16 only where the device gains from it."""

from __future__ import annotations

import pytest
import torch

from tasks.training import precision
from tasks.training.precision import resolve


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps"])
@pytest.mark.parametrize("transformer", [True, False])
def test_auto_takes_bf16_where_it_is_faster(has: bool, device: str, transformer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
    monkeypatch.setattr(precision, "_processor_has_bf16", lambda: has)
    gains = has and (device == "cuda:0" or (device == "cpu" and transformer))
    assert resolve("auto", device, transformer) == ("bf16" if gains else "fp32")
    assert (resolve("bf16", device, transformer), resolve("fp32", device, transformer)) == ("bf16", "fp32")
