"""One bidirectional LSTM layer on plain linear maps, so that every engine of per-example gradients can read it.

A recurrent weight is used once per time step inside a kernel that no engine sees into. Here the states are first computed
without a gradient; then every gate of every step is one linear map of the inputs plus one of the states before, and the
recurrence that is left over has no weights to learn. The gradient of its gates is exactly that of backpropagation through
time, so the gradients of both maps are those of an LSTM.
"""

from __future__ import annotations

from typing import Any

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
        if self.reverse:
            inputs, mask = inputs.flip(1), mask.flip(1)
        before = self.ih(inputs)
        with torch.no_grad():
            previous = _states_before(before.detach(), self.hh.weight.detach(), self.hh.bias.detach(), mask)
        states: Tensor = Recurrence.apply(before + self.hh(previous), self.hh.weight.detach(), mask)  # type: ignore[no-untyped-call]
        return states.flip(1) if self.reverse else states


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


class Recurrence(torch.autograd.Function):
    """What is left of an LSTM when its gates' sums are given: cells and states, step after step."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gates: Tensor, recurrent: Tensor, mask: Tensor) -> Tensor:
        """States (B, L, H) of gates (B, L, 4H)."""
        return _unrolled(gates, mask)[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Backward needs the gates and the recurrent weights."""
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        """Backpropagation through time (Werbos 1990): the gradient of every gate's sum, through later steps too."""
        gates, recurrent, mask = ctx.saved_tensors
        return _through_time(gates, recurrent, mask, outputs[0]), None, None


def _states_before(before: Tensor, recurrent: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """The state (B, L, H) that each step begins with, from the inputs' part of the gates (B, L, 4H)."""
    hidden = before.new_zeros(before.shape[0], recurrent.shape[1])
    cell = torch.zeros_like(hidden)
    found = []
    for time in range(before.shape[1]):
        found.append(hidden)
        fresh, fresh_cell = _step(before[:, time] + nn.functional.linear(hidden, recurrent, bias), cell)
        here = mask[:, time].unsqueeze(-1)
        hidden, cell = torch.where(here, fresh, hidden), torch.where(here, fresh_cell, cell)
    return torch.stack(found, dim=1)


def _step(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    enter, forget, candidate, leave = gates.chunk(4, dim=-1)
    fresh_cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * fresh_cell.tanh(), fresh_cell


def _unrolled(gates: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """States, zero at padding, and the cells before and after: (B, L, H) and (B, L + 1, H)."""
    cell = gates.new_zeros(gates.shape[0], gates.shape[2] // 4)
    states, cells = [], [cell]
    for time in range(gates.shape[1]):
        fresh, fresh_cell = _step(gates[:, time], cell)
        here = mask[:, time].unsqueeze(-1)
        cell = torch.where(here, fresh_cell, cell)
        states.append(fresh * here)
        cells.append(cell)
    return torch.stack(states, dim=1), torch.stack(cells, dim=1)


def _through_time(gates: Tensor, recurrent: Tensor, mask: Tensor, outputs: Tensor) -> Tensor:
    """The gradient of the gates (B, L, 4H) from that of the states (B, L, H). Everything but the sum over later steps is done at once."""
    cells = _unrolled(gates, mask)[1]
    enter, forget, candidate, leave = gates.chunk(4, dim=-1)
    enter, forget, candidate, leave = enter.sigmoid(), forget.sigmoid(), candidate.tanh(), leave.sigmoid()
    present = mask.unsqueeze(-1).to(gates.dtype)
    squashed = cells[:, 1:].tanh()
    to_cell = leave * (1 - squashed * squashed) * present
    to_leave = squashed * leave * (1 - leave) * present
    of_cell = torch.stack([candidate * enter * (1 - enter), cells[:, :-1] * forget * (1 - forget), enter * (1 - candidate * candidate)], dim=2)
    hidden = torch.zeros_like(outputs[:, 0])
    cell = torch.zeros_like(hidden)
    found = []
    for time in range(gates.shape[1] - 1, -1, -1):
        here = present[:, time]
        state = (outputs[:, time] + hidden) * here
        inner = cell * here + state * to_cell[:, time]
        own = torch.cat([(inner.unsqueeze(1) * of_cell[:, time]).flatten(1), state * to_leave[:, time]], dim=-1)
        found.append(own)
        hidden = nn.functional.linear(own, recurrent.t()) + hidden * (1 - here)
        cell = inner * forget[:, time] + cell * (1 - here)
    return torch.stack(found[::-1], dim=1)


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
