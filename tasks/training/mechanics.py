"""How a step's batch and gradient are had: plainly, or under a privacy mechanism."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UserError
from tasks.core.step import StepRun
from tasks.models.batches import Encoded
from tasks.models.model import Started
from tasks.privacy.account import Account
from tasks.privacy.engine import Engine
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.network import check_network
from tasks.privacy.sampler import Batches, Schedule
from tasks.training.batching import ShuffledBatches
from tasks.training.gradients import MeanGradient, Paired, PairedGradient
from tasks.training.loop import Gradient, Keeper
from tasks.training.private_gradient import PrivateGradient, physical_batch

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig


@dataclass(frozen=True)
class Mechanics:
    """The batches and gradients of a training; ``close`` takes away what was attached to the network. ``by_example``: kinds of layers that the engine
    does not know, and reads example by example.
    """

    batches: Batches
    gradient: Gradient
    close: Callable[[], None]
    keeper: Keeper | None = None
    by_example: tuple[str, ...] = ()


def mechanics(
    config: TrainConfig, account: Account | None, encoded: Encoded, started: Started, inputs: Mapping[str, Path], key: int, run: StepRun, precision: str
) -> Mechanics:
    """Those that the privacy block asks for. Raises UnsoundNetwork, or UserError, where the guarantee would not hold."""
    if account is None:
        batches = ShuffledBatches(encoded.lengths, config.training.expected_batch_size, key)
        gradient_of = PairedGradient if isinstance(encoded, Paired) else MeanGradient
        return Mechanics(batches, gradient_of(encoded, run.device, precision, key, run.physical_batch_size), lambda: None)
    if not isinstance(config.privacy, DpSgd):  # never train plainly what an account promises
        raise TypeError(f"no training carries out privacy of kind '{config.privacy.kind}', which has an account")
    if config.training.pairing is not None:
        raise UserError("training.pairing: the loss of an example spans two passes, which no engine clips as one; train without privacy")
    privacy, network, schedule = config.privacy, started.network, account.schedule
    assert isinstance(schedule, Schedule)  # of every account of dp-sgd
    check_network(network, privacy.model_dump(mode="json"), inputs)
    if privacy.clipping.engine.looks_inside:
        started.model.open_up(network)
    expected = schedule.expected_batch_size
    engine = _fitted(privacy, started, expected)
    clipper = engine.clipper(network, privacy.clipping.rule.begin())
    clipper.loss = encoded.loss or clipper.loss
    physical = physical_batch(run.physical_batch_size, sum(value.numel() for value in clipper.trained.values()), engine.copies)
    clipper.at_once = physical
    examples = privacy.unit.examples(encoded.records, encoded.users)
    gradient = PrivateGradient(
        encoded=encoded,
        clipper=clipper,
        multipliers=tuple(privacy.noise.multiplier(account.noise_multiplier, step, schedule.steps) for step in range(schedule.steps)),
        divisor=engine.contributions(expected),
        key=key,
        physical_batch_size=physical,
        device=run.device,
        precision=precision,
        tell_loss=account.randomness == "reproducible",
        sharing=engine.sharing(encoded.records, expected, key) or privacy.unit.sharing(examples),
        correlation=privacy.noise.coefficients,
    )
    return Mechanics(privacy.sampler.batches(examples, schedule, key), gradient, clipper.close, gradient, clipper.by_example)


def divisor_of(privacy: DpSgd, account: Account, started: Started) -> int:
    """By what the noisy sum of a step is divided: the public number of contributions."""
    expected = account.schedule.expected_batch_size
    return _fitted(privacy, started, expected).contributions(expected)


def _fitted(privacy: DpSgd, started: Started, expected: int) -> Engine:
    return privacy.clipping.engine.fitted(started.network, started.encoder.max_tokens, expected)
