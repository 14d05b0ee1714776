"""The gradient of a step: the mean over the batch, in pieces where the batch does not fit the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.core.seeds import torch_seeded
from tasks.models.batches import Encoded, network_inputs
from tasks.models.losses import per_example_loss
from tasks.training import ranks

PAIRED = "twin"
"""Before the names of a batch's tensors that belong to reversals."""


def autocast(device: str, precision: str) -> AbstractContextManager[object]:
    """bf16 autocast, or nothing."""
    if precision == "bf16":
        return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
    return nullcontext()


class MeanGradient:
    """Sets ``.grad`` of every trained parameter to the gradient of the mean loss of a batch, whose pieces the processes of a training share.

    Args:
        encoded: the training examples.
        device: where the network is.
        precision: ``fp32`` or ``bf16``.
        seed: decides dropout, by step and piece.
        physical_batch_size: the most examples on the device at once; None for no bound.
    """

    def __init__(self, encoded: Encoded, device: str, precision: str, seed: int, physical_batch_size: int | None) -> None:
        self._encoded, self._device, self._precision, self._seed = encoded, device, precision, seed
        self._piece = physical_batch_size

    def __call__(self, network: nn.Module, indices: Tensor, step: int) -> Tensor:
        """Accumulate the gradient; returns the mean loss, a scalar on the device."""
        total = torch.zeros((), device=self._device)
        for piece, chosen in enumerate(self._pieces(indices)):
            if piece % ranks.count() != ranks.rank():
                continue
            batch = self._encoded.batch(chosen, self._device, step)
            logits = self._logits(network, batch, step, piece)
            loss = (self._encoded.loss or per_example_loss)(logits, batch).sum() / len(indices)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        if ranks.count() > 1:
            _add_up(network, total)
        return total

    def _logits(self, network: nn.Module, batch: dict[str, Tensor], step: int, piece: int) -> dict[str, Tensor]:
        return self._asked(network, network_inputs(batch), "forward", step, piece)

    def _asked(self, network: nn.Module, inputs: dict[str, Tensor], purpose: str, step: int, piece: int) -> dict[str, Tensor]:
        """The logits under the dropout masks of a purpose."""
        with torch_seeded(self._seed, purpose, step, piece, self._device), autocast(self._device, self._precision):
            logits: dict[str, Tensor] = network(**inputs)
        return logits

    def _pieces(self, indices: Tensor) -> Iterator[Tensor]:
        share = -(-len(indices) // ranks.count())
        yield from torch.split(indices, min(self._piece or share, share))


def _add_up(network: nn.Module, total: Tensor) -> None:
    """Gradients and loss over all processes. A weight that no piece used stays without a gradient, which an optimizer takes otherwise than zero."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    used = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=total.device)
    sums = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in trained]
    ranks.add_up([*sums, used, total])
    for parameter, found, times in zip(trained, sums, used.tolist(), strict=True):
        parameter.grad = found if times else None


@dataclass(frozen=True, kw_only=True)
class Paired(Encoded):
    """Examples, some of which have a role reversal that a batch carries beside them.

    Args:
        twins: the reversals, as examples.
        twin: (N,) which of ``twins`` is an example's reversal, or -1.
    """

    twins: Encoded
    twin: Tensor

    def batch(self, indices: Sequence[int] | Tensor, device: str = "cpu", draw: int = 0) -> dict[str, Tensor]:
        """As of ``Encoded``, and where an example has a reversal ``twin_of`` (T,), their places in the batch, and ``twin_<input>`` (T, L), padded alike."""
        found = super().batch(indices, device, draw)
        chosen = torch.as_tensor(indices, dtype=torch.long)
        which = self.twin[chosen]
        places = (which >= 0).nonzero().squeeze(1)
        if not len(places):
            return found
        reach = int(torch.cat([self.lengths[chosen], self.twins.lengths[which[places]]]).max())
        own, other = _reaching(self, chosen, reach), _reaching(self.twins, which[places], reach)
        added = {**own, f"{PAIRED}_of": places, **{f"{PAIRED}_{name}": value for name, value in other.items()}}
        return found | {name: value.to(device, non_blocking=True) for name, value in added.items()}


def _reaching(encoded: Encoded, chosen: Tensor, reach: int) -> dict[str, Tensor]:
    """What a network takes of examples, padded to ``reach`` tokens."""
    positions = torch.arange(reach).expand(len(chosen), reach)
    ids = torch.full((len(chosen), reach), encoded.pad_id, dtype=torch.long)
    known = encoded.ids[chosen, :reach]
    ids[:, : known.shape[1]] = known
    return {"input_ids": ids, "attention_mask": positions < encoded.lengths[chosen].unsqueeze(1), "position_ids": positions}


@dataclass(frozen=True)
class PairedLoss:
    """The usual loss of an example, and ``weight`` times the mean over the labels of |g(x) - g(x')| where it has a reversal x' (Garg et al., AIES 2019)."""

    weight: float

    def __call__(self, logits: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """(B,) of logits ``intent`` (B, C) and, where the batch has reversals, ``twin_intent`` (T, C)."""
        usual = per_example_loss(logits, batch)
        if f"{PAIRED}_of" not in batch:
            return usual
        places = batch[f"{PAIRED}_of"]
        gaps = (logits["intent"][places].float() - logits[f"{PAIRED}_intent"].float()).abs().mean(dim=1)
        return usual.index_add(0, places, self.weight * gaps)


class PairedGradient(MeanGradient):
    """Asks the network for the reversals of a batch too, under the dropout masks of their texts: what is left between the two is what the words do."""

    def _logits(self, network: nn.Module, batch: dict[str, Tensor], step: int, piece: int) -> dict[str, Tensor]:
        places = batch.get(f"{PAIRED}_of")
        if places is None:
            return super()._logits(network, batch, step, piece)
        inputs = network_inputs(batch)
        is_alone = torch.ones(len(inputs["input_ids"]), dtype=torch.bool, device=places.device)
        is_alone[places] = False
        alone = is_alone.nonzero().squeeze(1)
        own = self._asked(network, {name: value[places] for name, value in inputs.items()}, PAIRED, step, piece)["intent"]
        other = self._asked(network, {name: batch[f"{PAIRED}_{name}"] for name in inputs}, PAIRED, step, piece)["intent"]
        if len(alone):  # in a pass of its own: two passes draw the same masks only where they have the same shape
            rest = self._asked(network, {name: value[alone] for name, value in inputs.items()}, "forward", step, piece)["intent"]
            own = torch.cat([own, rest])[torch.cat([places, alone]).argsort()]
        return {"intent": own, f"{PAIRED}_intent": other}
