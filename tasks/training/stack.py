"""A stack: models of one shape that are trained at once, each on examples of its own, as each would be trained alone.

Optimizers here change every number by itself, so that one of them over stacked weights does what one per model would. What it shares is a learning
rate: models with equally many steps stand in a group of its own. Models with fewer steps than others are left alone after their last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from tasks.core.errors import UserError
from tasks.core.seeds import derive, torch_seeded
from tasks.core.step import StepRun
from tasks.models.batches import Encoded
from tasks.models.losses import example_losses
from tasks.training import checkpoint
from tasks.training.batching import ShuffledBatches
from tasks.training.guards import WeightsGuard
from tasks.training.loop import STEPS, Loop, step_count
from tasks.training.optimizer import Optimizer
from tasks.training.stacking import Stack, StackedGradient, joined, padded
from tasks.training.trainer import Trained
from tasks.training.training import Training


class NotStackable(UserError):
    """Models that cannot be trained at once; the message says why."""


class StackedModels(nn.Module):
    """The trained weights of K models, (K, ...) by name, those with most steps first. Its parameters are parts of them: one per name and group.

    Args:
        models: the first weights of each.
        steps: of each, falling.
    """

    def __init__(self, models: Sequence[Mapping[str, Tensor]], steps: Sequence[int]) -> None:
        super().__init__()
        self.steps = tuple(steps)
        self.whole: Stack = {name: torch.stack([weights[name].detach() for weights in models]) for name in models[0]}
        ends = [0]
        for _, group in groupby(steps):
            ends.append(ends[-1] + len(list(group)))
        self.bounds = tuple(pairwise(ends))
        self.parts = nn.ModuleList(nn.ParameterList(nn.Parameter(tensor[first:end]) for tensor in self.whole.values()) for first, end in self.bounds)

    def optimizer(self, block: Optimizer) -> torch.optim.Optimizer:
        """That of all weights; each group knows its number of steps."""
        parts = [list(part.parameters()) for part in self.parts]
        found = block.build(parts[0])
        found.param_groups[0][STEPS] = self.steps[0]
        for part, (first, _) in zip(parts[1:], self.bounds[1:], strict=True):
            found.add_param_group({"params": part, STEPS: self.steps[first]})
        return found

    def busy(self, step: int) -> int:
        """How many models have a step of this number; they are the first ones."""
        return sum(step < steps for steps in self.steps)

    def set_gradients(self, gradients: Stack) -> None:
        """Give the first models, which are whole groups, their gradients (A, ...); the others have none."""
        count = len(next(iter(gradients.values())))
        for part, (first, end) in zip(self.parts, self.bounds, strict=True):
            for parameter, gradient in zip(part.parameters(), gradients.values(), strict=True):
                parameter.grad = gradient[first:end].contiguous() if end <= count else None

    def one(self, place: int) -> dict[str, Tensor]:
        """The weights of a model by name; they share memory with the stack's."""
        return {name: tensor[place] for name, tensor in self.whole.items()}

    def guard(self, place: int) -> WeightsGuard:
        """Sees to it that a model's weights change."""
        alone = nn.Module()
        for name, tensor in self.one(place).items():
            alone.register_parameter(name.replace(".", "/"), nn.Parameter(tensor))
        return WeightsGuard(alone, all_change=False)


@dataclass(frozen=True)
class StackedBatches:
    """The batches of every model, as its single training has them.

    Args:
        own: of each model.
        begins: where its examples begin in the table of all.
        steps: of each.
    """

    own: tuple[ShuffledBatches, ...]
    begins: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def per_epoch(self) -> int:
        """The most steps of an epoch."""
        return max(batches.per_epoch for batches in self.own)

    def rows(self, step: int) -> list[Tensor]:
        """The examples of each model that has such a step, as indices of the table of all."""
        each = zip(self.own, self.begins, self.steps, strict=True)
        return [batches[step] + begin for batches, begin, steps in each if step < steps]

    def __getitem__(self, step: int) -> Tensor:
        """The examples of all together."""
        return torch.cat(self.rows(step))


@dataclass(frozen=True)
class MeanGradients:
    """Sets the gradient of every model that still has steps to do: that of its own mean loss, scaled down where its norm is above ``most``.

    Args:
        find: computes gradients.
        encoded: the examples of all models.
        batches: which of them a step sees.
        key: decides dropout, by step and piece.
        device: where the stack is.
        most: the highest norm of a model's gradient, or None.
        physical_batch_size: the most examples on the device at once, of all models together; None for no bound.
    """

    find: StackedGradient
    encoded: Encoded
    batches: StackedBatches
    key: int
    device: str
    most: float | None
    physical_batch_size: int | None

    def __call__(self, models: nn.Module, indices: Tensor, step: int) -> Tensor:
        """The mean over models of their mean losses, a scalar on the device."""
        assert isinstance(models, StackedModels)
        batch, counts = padded(self.encoded, self.batches.rows(step), self.device, step)
        weights = {name: tensor[: len(counts)] for name, tensor in models.whole.items()}
        gradients, losses = self._found(weights, batch, counts, step)
        if self.most is not None:
            _clip(gradients, self.most)
        models.set_gradients(gradients)
        return (losses / counts).mean()

    def _found(self, weights: Stack, batch: Stack, counts: Tensor, step: int) -> tuple[Stack, Tensor]:
        """The gradients, and each model's sum of losses, piece by piece where the batch is too large for the device."""
        examples = batch["input_ids"].shape[1]
        width = examples if self.physical_batch_size is None else max(1, self.physical_batch_size // len(counts))
        total: Stack = {}
        losses = torch.zeros(len(counts), device=self.device)
        for piece, first in enumerate(range(0, examples, width)):
            there = (counts - first).clamp(0, width)
            with torch_seeded(self.key, "forward", step, piece, self.device):
                found, sums = self.find(weights, {name: tensor[:, first : first + width] for name, tensor in batch.items()}, there)
            losses += sums[:, 0]
            if width >= examples:
                return found, losses
            for name, gradient in found.items():
                part = gradient * _of_each(there / counts, gradient)
                total[name] = part if name not in total else total[name] + part
        return total, losses


def _clip(gradients: Stack, most: float) -> None:
    """Scale each model's gradient as ``clip_grad_norm_`` does."""
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients.values()]).norm(dim=0)
    scale = (most / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients.values():
        gradient.mul_(_of_each(scale, gradient))


def _of_each(numbers: Tensor, like: Tensor) -> Tensor:
    """One number per model, as a factor of something (A, ...)."""
    return numbers.reshape(-1, *[1] * (like.dim() - 1))


class StackedTraining:
    """Models that are trained at once, in the place of so many single trainings.

    Args:
        trained: each model as its single training begins it. The first one's network computes, and is opened up.
        seeds: of each: the order of its examples follows from it.
        training: of all.
        run: where.
        folder: where checkpoints go.

    Raises NotStackable.
    """

    def __init__(self, trained: Sequence[Trained], seeds: Sequence[int], training: Training, run: StepRun, folder: Path) -> None:
        batches = [ShuffledBatches(one.encoded.lengths, training.expected_batch_size, seed) for one, seed in zip(trained, seeds, strict=True)]
        steps = [step_count(training, own) for own in batches]
        encoded, begins = joined([one.encoded for one in trained])
        self._order = sorted(range(len(trained)), key=lambda place: -steps[place])
        started, self.network = trained[0].started, trained[0].started.network
        started.model.open_up(self.network)
        names = _trained_names([one.started.network for one in trained])
        _check_used(self.network, names, encoded, run.device)
        first = [dict(trained[place].started.network.named_parameters()) for place in self._order]
        self.models = StackedModels([{name: weights[name] for name in names} for weights in first], [steps[place] for place in self._order])
        own, at = tuple(batches[place] for place in self._order), tuple(begins[place] for place in self._order)
        self.batches = StackedBatches(own, at, self.models.steps)
        self._guards = [self.models.guard(place) for place in range(len(trained))]
        self.network.train()
        key = derive(seeds[0], "stack", len(seeds))
        find = StackedGradient(self.network, trained[0].precision)
        self.loop = Loop(
            network=self.models,
            optimizer=self.models.optimizer(training.optimizer),
            training=training.model_copy(update={"max_gradient_norm": None}),
            batches=self.batches,
            gradient=MeanGradients(find, encoded, self.batches, key, run.device, training.max_gradient_norm, run.physical_batch_size),
            evaluate=None,
            device=run.device,
            folder=folder,
            report=run.report,
            note=f"; {len(trained)} models at once",
            first_step_done=self._check_first_step,
        )

    def _check_first_step(self) -> None:
        for guard in self._guards:
            guard.check()

    def put_back(self, model: int) -> tuple[int, int]:
        """Put a model's weights into the network; returns how many steps it did, on how many examples."""
        place = self._order.index(model)
        steps = self.models.steps[place]
        checkpoint.restore(self.network, {**checkpoint.weights(self.network), **self.models.one(place)})
        return steps, self.batches.own[place].examples(steps)


def _trained_names(networks: Sequence[nn.Module]) -> tuple[str, ...]:
    """The weights that are trained. Raises NotStackable where models differ in more than their values."""
    first, *others = [checkpoint.weights(network) for network in networks]
    names = tuple(name for name, parameter in networks[0].named_parameters() if parameter.requires_grad)
    for other in others:
        if {name: tensor.shape for name, tensor in other.items()} != {name: tensor.shape for name, tensor in first.items()}:
            raise NotStackable("the models are not of one shape")
        unlike = [name for name in first if name not in names and not torch.equal(first[name], other[name])]
        if unlike:
            raise NotStackable(f"{unlike[0]} is not trained, and differs between the models")
    return names


def _check_used(network: nn.Module, names: Sequence[str], encoded: Encoded, device: str) -> None:
    """A weight that takes no part has no gradient, and a single training leaves it alone; here it would have zeros. Raises NotStackable."""
    network.eval()
    weights = dict(network.named_parameters())
    loss = example_losses(network, encoded.batch(torch.arange(1), device)).sum()
    found = torch.autograd.grad(loss, [weights[name] for name in names], allow_unused=True)
    unused = [name for name, gradient in zip(names, found, strict=True) if gradient is None]
    if unused:
        raise NotStackable(f"{unused[0]} takes no part in the loss")
