"""How good a network is on a split while it trains."""

from __future__ import annotations

import torch
from torch import nn

from tasks.models.batches import Encoded, network_inputs
from tasks.models.losses import per_example_loss
from tasks.training.gradients import autocast

BATCH = 256


@torch.no_grad()
def validation(network: nn.Module, encoded: Encoded, device: str, precision: str) -> dict[str, float]:
    """Mean ``loss`` over examples and, where there is an intent, ``accuracy``. The network is left in training mode."""
    network.eval()
    loss, right = 0.0, 0
    for indices in torch.split(torch.argsort(encoded.lengths, stable=True), BATCH):
        batch = encoded.batch(indices, device)
        with autocast(device, precision):
            logits = network(**network_inputs(batch))
        loss += float(per_example_loss(logits, batch).sum())
        if "intent" in logits:
            right += int((logits["intent"].argmax(dim=-1) == batch["labels"]).sum())
    network.train()
    found = {"loss": loss / len(encoded)}
    if encoded.labels is not None:
        found["accuracy"] = right / len(encoded)
    return found
