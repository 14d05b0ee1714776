"""What a pass keeps in memory for its backward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def held_bytes(network: nn.Module, tokens: int) -> int:
    """Bytes that autograd keeps of one example of so many tokens in training, dropout's masks too, the weights not counted."""
    mode = network.training
    network.train()
    device = next(network.parameters()).device
    ids = torch.zeros(1, tokens, dtype=torch.long, device=device)
    weights = {value.untyped_storage().data_ptr() for value in network.parameters()}
    held: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        network(input_ids=ids, attention_mask=torch.ones_like(ids, dtype=torch.bool), position_ids=torch.arange(tokens, device=device).unsqueeze(0))
    network.train(mode)
    return sum(held.values())
