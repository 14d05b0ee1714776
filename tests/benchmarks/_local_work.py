"""The local training that both engines of the benchmark do: the language model of ``specs/fl_selection/irc_static.yaml`` on random messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tasks.models.batches import Encoded
from tasks.models.model import MODELS, Architecture, TaskShape

LANGUAGE_MODEL: dict[str, Any] = {"kind": "gpt2", "layers": 1, "hidden_size": 64, "heads": 4, "dropout": 0, "tokenizer": {"kind": "bytes", "max_tokens": 64}}
TOKENS, MESSAGES, BATCH, LEARNING_RATE = 64, 16, 8, 0.1


def language_model() -> nn.Module:
    """The network, with weights from a seed."""
    model = MODELS.parse(LANGUAGE_MODEL)
    assert isinstance(model, Architecture)
    return model.start(TaskShape("lm"), {}, 0).network


def messages(devices: int) -> tuple[Encoded, NDArray[np.int64]]:
    """Random messages, and the device of each."""
    count = devices * MESSAGES
    ids = torch.randint(3, 250, (count, TOKENS), generator=torch.Generator().manual_seed(0))
    return Encoded(ids, torch.full((count,), TOKENS), 0, torch.arange(count)), np.repeat(np.arange(devices), MESSAGES)
