"""A private training that is looked at before its first step: what it adds up and releases, and what the slow obvious engine adds up beside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tasks.core.step import StepRun
from tasks.privacy.account import Account
from tasks.privacy.clip_rule import Bound
from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.privacy.engine import Clipper, Shares
from tasks.privacy.engines._loop import LoopClipper
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.training.mechanics import Mechanics, mechanics
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TrainConfig
from tasks.training.trainer import Trained, Trainer

Sums = Mapping[str, Tensor]


@dataclass(frozen=True)
class Watched:
    """A private training at its first weights, without dropout: then what is summed can be had twice.

    Args:
        config, account: what is carried out, and what it is said to spend.
        trained, found: as the training itself has them.
        gradient: its steps, in fp32 arithmetic: in bf16 two ways of adding up are further apart than noise can be told from.
        twin: the loop engine on a copy of the network. It shares nothing with an engine but the networks' code and the clip rule; where the training's own
            engine is made of the loop, it is not independent.
        units: (N,) long, the unit of privacy of each example.
    """

    config: TrainConfig
    account: Account
    trained: Trained
    found: Mechanics
    gradient: PrivateGradient
    twin: LoopClipper
    units: Tensor

    @property
    def privacy(self) -> DpSgd:
        """The block."""
        assert isinstance(self.config.privacy, DpSgd)  # no other mechanism has an account that a training carries out
        return self.config.privacy

    @property
    def clip_norm(self) -> float:
        """By how much a contribution may move the sum: as the account says, or as a rule that adapts tells."""
        assert self.account.sensitivity is not None
        return self.gradient.kept.get("clip_norm", self.account.sensitivity)

    @property
    def own_twin(self) -> bool:
        """Whether the training's engine is the loop itself."""
        return isinstance(self.gradient.clipper, LoopClipper)

    def release(self, indices: Tensor, step: int) -> dict[str, Tensor]:
        """The update of a real step."""
        self.gradient(self.trained.started.network, indices, step)
        return {name: value.grad for name, value in self.gradient.clipper.trained.items() if value.grad is not None}

    def summed(self, indices: Tensor, step: int) -> tuple[dict[str, Tensor], Bound]:
        """The sum of clipped contributions, as a step has it before noise, and the rule that saw them."""
        sums = self.gradient.clipper.zeros()
        with _set_aside(self.gradient.clipper) as rule:
            self.gradient.clipped(indices, step, sums)
        return sums, rule

    def alone(self, indices: Tensor, step: int) -> tuple[float, float]:
        """The lengths of the gradient of one contribution, and of what it adds to a sum, in the arithmetic of the training."""
        sums = self.gradient.clipper.zeros()
        with _set_aside(self.gradient.clipper):
            (piece,) = replace(self.gradient, precision=self.trained.precision).clipped(indices, step, sums)
        return float(piece.norms[0]), length(sums)

    def by_loop(self, indices: Tensor, step: int) -> dict[str, Tensor]:
        """The same sum by the twin, one contribution after the other."""
        sums = self.twin.zeros()
        self.twin.rule = self._rule()
        for chosen, shares in self.contributions(indices, step):
            self.twin.add(self.gradient.encoded.batch(chosen, self.gradient.device, step), sums, shares)
        return sums

    def contributions(self, indices: Tensor, step: int) -> Iterator[tuple[Tensor, Shares | None]]:
        """The examples of each, and what each example counts in it."""
        if self.gradient.sharing is None:
            yield from ((chosen, None) for chosen in torch.split(indices, 1))
            return
        owners, weights = self.gradient.sharing(indices, step)
        for owner in torch.unique(owners):
            own = owners == owner
            device = self.gradient.device
            yield indices[own], Shares(torch.zeros(int(own.sum()), dtype=torch.long, device=device), weights[own].to(device), 1)

    def _rule(self) -> Bound:
        """The rule that the study asks for, where it is now."""
        rule = self.privacy.clipping.rule.begin()
        if isinstance(rule, Adapting):
            rule.clip_norm = self.clip_norm
        return rule


@contextmanager
def watched(trainer: Trainer, config: TrainConfig, key: int, run: StepRun) -> Iterator[Watched]:
    """Begun as the trainer begins it; taken apart at the end. Raises what a training raises before its first step."""
    assert trainer.account is not None
    trained = trainer.begin(config, run)
    network = trained.started.network.train()
    still(network)
    copied = copy.deepcopy(network)
    trained.started.model.open_up(copied)
    found = mechanics(config, trainer.account, trained.encoded, trained.started, trainer.inputs, key, run, trained.precision)
    try:
        assert isinstance(found.gradient, PrivateGradient) and isinstance(config.privacy, DpSgd)
        gradient = replace(found.gradient, precision="fp32")
        scales = getattr(config.privacy.clipping.engine, "layer_scales", None)
        twin = LoopClipper(copied, config.privacy.clipping.rule.begin(), scales)
        twin.loss, twin.at_once = gradient.clipper.loss, gradient.physical_batch_size
        units = config.privacy.unit.examples(trained.encoded.records, trained.encoded.users).units
        yield Watched(config, trainer.account, trained, found, gradient, twin, units)
    finally:
        found.close()


@contextmanager
def stretched(clipper: Clipper, factor: float) -> Iterator[None]:
    """Every loss, and with it every gradient, times a factor."""
    loss = clipper.loss
    clipper.loss = lambda logits, batch: factor * loss(logits, batch)
    try:
        yield
    finally:
        clipper.loss = loss


def length(sums: Sums) -> float:
    """L2 norm over all weights, in float64."""
    return math.sqrt(sum(float(value.double().square().sum()) for value in sums.values()))


def apart(one: Sums, other: Sums) -> float:
    """The distance of two sums, in float64."""
    return math.sqrt(sum(float((value.double() - other[name].double()).square().sum()) for name, value in one.items()))


@contextmanager
def _set_aside(clipper: Clipper) -> Iterator[Bound]:
    """Inside, a copy of the rule counts and not the rule itself: sums that are no step's leave no trace."""
    rule = clipper.rule
    clipper.rule = copy.copy(rule)
    try:
        yield clipper.rule
    finally:
        clipper.rule = rule


def still(network: nn.Module) -> None:
    """Without dropout: modules of it, and rates that a layer keeps as a number."""
    for module in network.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "drop" in name and isinstance(value, float):
                setattr(module, name, 0.0)
