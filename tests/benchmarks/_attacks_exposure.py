"""Exact exposure: what a BiLSTM loses on every secret of five digits, in a joint model of SNIPS's size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from tasks.attacks._candidates import Hunted
from tasks.attacks._exposure import rank
from tasks.data._canaries import canaries_of
from tasks.data.canary import CANARIES, Canaries
from tasks.models.architectures.bilstm import BiLstm
from tasks.models.artifact import LoadedModel
from tasks.models.model import TaskShape

TARGET = 20.0


def exposure_rows(digits: int = 5) -> Iterator[dict[str, Any]]:
    """Seconds for one canary, by one thread, as a step of a study has, and by two. The weights do not matter: all candidates are asked about."""
    block = CANARIES.parse({"kind": "digits", "length": digits})
    assert isinstance(block, Canaries)
    shape = TaskShape(
        "joint", (*(f"intent-{index}" for index in range(7)), "canary-0"), ("O", *(f"B-{index}" for index in range(72)), "B-canary-0", "I-canary-0")
    )
    started = BiLstm(kind="bilstm", hidden_size=128).start(shape, {}, 0)
    loaded = LoadedModel(started.model, started.encoder, started.network.eval(), shape, {})
    [canary] = canaries_of(block, "joint")
    hunted = Hunted(loaded, block, [canary], [("0",) * digits], ["canary-0"], "cpu")
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        began = time.perf_counter()
        every = hunted.every_secret()
        assert rank(hunted.losses(canary, every), 0) >= 1
        value = time.perf_counter() - began
        target = TARGET if threads == 2 else None
        name = f"exposure/bilstm 128/{len(every)} candidates/{threads} thread{'s' if threads > 1 else ''}"
        yield {"name": name, "value": value, "unit": "s", "target": target, "met": None if target is None else value < target}
    torch.set_num_threads(before)
