"""Guards: a training changes the weights that it should and no others, and what is saved answers as what was trained."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tasks.models.artifact import load_model
from tasks.models.batches import Encoded, network_inputs
from tasks.training import ranks

LOOKED_AT = 8
TOLERANCE = 1e-4


class TrainingGuard(Exception):
    """A training did not do what it says; no artifact is kept."""


class WeightsGuard:
    """Remembers the weights as they begin, and compares after the first step.

    Args:
        network: before its first step.
        all_change: whether every trained weight must change, as under noise it must; else one is enough.
    """

    def __init__(self, network: nn.Module, all_change: bool) -> None:
        self._network, self._all_change = network, all_change
        self._before = {name: _sketch(value) for name, value in network.named_parameters()}

    def check(self) -> None:
        """Raises TrainingGuard, also in a process whose weights are not those of the first one."""
        now = {name: _sketch(value) for name, value in self._network.named_parameters()}
        sums = {name: first for name, (first, _) in now.items()}
        if ranks.of_first(sums) != sums:
            raise TrainingGuard("this process trains other weights than the first one")
        changed = {name for name, found in now.items() if found != self._before[name]}
        trained = {name for name, value in self._network.named_parameters() if value.requires_grad}
        if changed - trained:
            raise TrainingGuard(f"a frozen weight changed: {min(changed - trained)}")
        missing = trained - changed
        if missing and (self._all_change or not changed):
            raise TrainingGuard(f"{len(missing)} of {len(trained)} trained weights did not change at the first step, {min(missing)} among them")


@torch.no_grad()
def check_saved(network: nn.Module, folder: Path, encoded: Encoded, device: str) -> None:
    """The artifact, read back, gives the answers of the network itself on a few examples. Raises TrainingGuard."""
    batch = network_inputs(encoded.batch(torch.arange(min(LOOKED_AT, len(encoded))), device))
    network.eval()
    said = network(**batch)
    for name, saved in load_model(folder, device).network(**batch).items():  # a student whose states are compared tells them too
        if not torch.allclose(said[name], saved, atol=TOLERANCE, rtol=TOLERANCE):
            raise TrainingGuard(f"the saved model answers otherwise than the trained one: {name} differs by {float((said[name] - saved).abs().max()):.2g}")


def _sketch(value: Tensor) -> tuple[float, float]:
    """Two sums that any change of a weight changes, up to rounding of doubles."""
    flat = value.detach().double().flatten()
    return float(flat.sum()), float(flat @ torch.linspace(1, 2, len(flat), dtype=torch.float64, device=flat.device))
