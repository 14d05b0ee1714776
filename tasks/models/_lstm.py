"""One bidirectional LSTM layer on plain linear maps, so that every engine of per-example gradients can read it.

A recurrent weight is used once per time step inside a kernel that no engine sees into. Here the states are first computed
without a gradient; then every gate of every step is one linear map of the inputs plus one of the states before, and the
recurrence that is left over has no weights to learn. The gradient of its gates is exactly that of backpropagation through
time, so the gradients of both maps are those of an LSTM.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class LstmDirection(nn.Module):
    """The two maps of one direction: of the inputs (``ih``) and of the states (``hh``), gates in torch's order i, f, g, o."""

    def __init__(self, inputs: int, hidden: int, reverse: bool) -> None:
        super().__init__()
        self.reverse = reverse
        self.ih = nn.Linear(inputs, 4 * hidden)
        self.hh = nn.Linear(hidden, 4 * hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)  # as torch.nn.LSTM begins

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """States (B, L, H) of inputs (B, L, D). A padded position keeps the state and gives zero, as a packed sequence does."""
        before = self.ih(inputs)
        weight = self.hh.weight.detach()
        with torch.no_grad():
            run = unrolled(before.detach(), weight, self.hh.bias.detach(), mask, self.reverse)
        states: Tensor = Recurrence.apply(before + self.hh(run.previous), weight, mask, self.reverse, *run)  # type: ignore[no-untyped-call]
        return states


class BiLstmLayer(nn.Module):
    """Both directions of a layer, (B, L, D) to (B, L, 2H)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forwards = LstmDirection(inputs, hidden, reverse=False)
        self.backwards = LstmDirection(inputs, hidden, reverse=True)
        self._kernel = (_kernel_of(self.forwards, self.backwards, inputs, hidden),)  # in a tuple: its weights are not ours twice

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """The states; per-example gradients can be had."""
        return torch.cat([self.forwards(inputs, mask), self.backwards(inputs, mask)], dim=-1)

    def fused(self, packed: PackedSequence) -> PackedSequence:
        """The same from torch's kernel on the same weights, several times faster, for plain training."""
        states: PackedSequence = self._kernel[0](packed)[0]
        return states


class Run(NamedTuple):
    """What a direction comes to: the state that each step begins with, states (zero at padding), cells before each step and their squashed values after
    it, all (B, L, H), and the four gates (B, L, 4H).
    """

    previous: Tensor
    states: Tensor
    cells: Tensor
    squashed: Tensor
    gates: Tensor


class Recurrence(torch.autograd.Function):
    """What is left of an LSTM when its gates' sums are given: they have no weights to learn, and its states are known already."""

    generate_vmap_rule = True

    @staticmethod
    def forward(sums: Tensor, recurrent: Tensor, mask: Tensor, reverse: bool, *run: Tensor) -> Tensor:
        """States (B, L, H) of the gates' sums (B, L, 4H)."""
        return Run(*run).states.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Backward needs the recurrent weights and the run."""
        _, recurrent, mask, ctx.reverse, *run = inputs
        ctx.save_for_backward(recurrent, mask, *run)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Backpropagation through time (Werbos 1990): the gradient of every gate's sum, through later steps too."""
        recurrent, mask, *run = ctx.saved_tensors
        return (_through_time(Run(*run), recurrent, mask, ctx.reverse, outputs[0]), *[None] * (3 + len(run)))


def unrolled(before: Tensor, recurrent: Tensor, bias: Tensor, mask: Tensor, reverse: bool) -> Run:
    """Step after step, from the inputs' part of the gates (B, L, 4H). Where padding comes first its input gate stays shut, so that nothing begins.

    tanh(x) is 2 sigmoid(2x) - 1, so that one call gives all gates.
    """
    width = recurrent.shape[1]
    ones = torch.ones_like(bias[:width])
    doubled, less = torch.cat([ones, ones, 2 * ones, ones]), torch.cat([0 * ones, 0 * ones, -ones, 0 * ones])
    before, recurrent = (before + bias) * doubled, (recurrent * doubled.unsqueeze(1)).t()
    if reverse:
        shut = torch.cat([torch.full_like(before[..., :width], -torch.inf), before[..., width:]], dim=-1)
        before = torch.where(mask.unsqueeze(-1), before, shut)
    hidden = torch.zeros_like(before[:, 0, :width])
    cell = torch.zeros_like(hidden)
    steps: list[tuple[Tensor, ...]] = []
    for time in _order(before.shape[1], reverse):
        half = torch.addmm(before[:, time], hidden, recurrent).sigmoid()
        enter, forget, candidate, leave = half.chunk(4, dim=-1)
        fresh = torch.addcmul(enter * (2 * candidate - 1), forget, cell)
        squashed = fresh.tanh()
        state = leave * squashed
        steps.append((hidden, state, cell, squashed, half))
        hidden, cell = state, fresh
    run = Run(*(torch.stack(values[::-1] if reverse else values, dim=1) for values in zip(*steps, strict=True)))
    return run._replace(states=run.states * mask.unsqueeze(-1), gates=torch.addcmul(less, run.gates, doubled))


def _through_time(run: Run, recurrent: Tensor, mask: Tensor, reverse: bool, outputs: Tensor) -> Tensor:
    """The gradient of the gates' sums (B, L, 4H) from that of the states (B, L, H). Everything but the sum over later steps is done at once."""
    enter, forget, candidate, leave = run.gates.chunk(4, dim=-1)
    present = mask.unsqueeze(-1).to(outputs.dtype)
    outputs = outputs * present
    to_cell = leave * (1 - run.squashed * run.squashed) * present
    to_leave = run.squashed * leave * (1 - leave) * present
    of_cell = torch.cat([candidate * enter * (1 - enter), run.cells * forget * (1 - forget), enter * (1 - candidate * candidate)], dim=-1) * present
    hidden = torch.zeros_like(outputs[:, 0])
    cell = torch.zeros_like(hidden)
    found = []
    for time in _order(outputs.shape[1], not reverse):
        state = outputs[:, time] + hidden
        inner = torch.addcmul(cell, state, to_cell[:, time])
        own = torch.cat([torch.cat([inner] * 3, dim=-1) * of_cell[:, time], state * to_leave[:, time]], dim=-1)
        found.append(own)
        hidden = own @ recurrent
        cell = inner * forget[:, time]
    return torch.stack(found if reverse else found[::-1], dim=1)


def _order(length: int, reverse: bool) -> range:
    return range(length - 1, -1, -1) if reverse else range(length)


def _kernel_of(forwards: LstmDirection, backwards: LstmDirection, inputs: int, hidden: int) -> nn.LSTM:
    """torch's LSTM that holds the very parameters of both directions."""
    kernel = nn.LSTM(inputs, hidden, batch_first=True, bidirectional=True)
    for direction, end in ((forwards, ""), (backwards, "_reverse")):
        for part in ("ih", "hh"):
            linear = getattr(direction, part)
            setattr(kernel, f"weight_{part}_l0{end}", linear.weight)
            setattr(kernel, f"bias_{part}_l0{end}", linear.bias)
    return kernel


def packed(vectors: Tensor, mask: Tensor) -> PackedSequence:
    """Rows without their padding."""
    return pack_padded_sequence(vectors, mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False)


def padded(sequence: PackedSequence, length: int) -> Tensor:
    """Rows with padding of zeros up to a length."""
    states: Tensor = pad_packed_sequence(sequence, batch_first=True, total_length=length)[0]
    return states
