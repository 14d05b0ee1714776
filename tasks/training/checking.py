"""The check of a privacy mechanism as it runs: the direct test of its noise, and the neighbouring-datasets test, on the study's own data and network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tasks.core.seeds import numpy_generator
from tasks.core.step import StepRun
from tasks.privacy.account import Account
from tasks.privacy.clip_rules.adaptive_quantile import Adapting, AdaptiveQuantile
from tasks.privacy.noise import Noise
from tasks.training.charging import account_of
from tasks.training.mechanics import divisor_of
from tasks.training.mechanism_check import FACTS, OF_RECORD
from tasks.training.neighbours import Fewer, moved, public_numbers
from tasks.training.recorded_noise import RecordedNoise
from tasks.training.trainer import Trainer
from tasks.training.watched import Watched, apart, watched

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig


def write_check(config: TrainConfig, steps: int, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Check a training and write the facts: numbers and names of tests, never a text nor an id. Raises what a training raises before its first step."""
    trainer = Trainer.of(config, inputs, seed)
    facts = {"private": False} if trainer.account is None else {"private": True, **checked(trainer, config, steps, seed, run)}
    (run.folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")


def checked(trainer: Trainer, config: TrainConfig, steps: int, seed: int, run: StepRun) -> dict[str, Any]:
    """The facts of a private training."""
    assert trainer.account is not None
    with watched(trainer, config, seed, run) as found:
        last = int(found.units.max())
        numbers, facts = public_numbers(found, last), _looked_at(found, steps, seed, run)
    del found  # its network goes before its neighbour's comes
    with watched(_fewer(trainer, config), config, seed, run) as other:
        others = public_numbers(other, last)
    return {**facts, "follows_from_the_records": [name for name, value in numbers.items() if others[name] != value]}


def _looked_at(found: Watched, steps: int, seed: int, run: StepRun) -> dict[str, Any]:
    """What is seen of the training on the data as they are; of its steps the one with most records stands for all in how far a unit moves a sum."""
    batches = [found.found.batches[step] for step in range(min(steps, found.account.schedule.steps))]
    largest = max(range(len(batches)), key=lambda step: len(batches[step]))
    change = moved(found, batches[largest], largest, numpy_generator(seed, "mechanism-check")) if len(batches[largest]) else None
    record = {**found.account.record(), "divisor": _divisor(found)}
    return {
        "record": {name: value for name, value in record.items() if name in OF_RECORD},
        "conditions": found.account.conditions,
        "release": "step",
        "steps": len(batches),
        "own_twin": found.own_twin,
        "precision": found.trained.precision,
        "noise": _noise(found, batches, run),
        "moved": None if change is None else asdict(change),
    }


def _fewer(trainer: Trainer, config: TrainConfig) -> Trainer:
    """That of the data set with a unit less."""
    assert trainer.account is not None
    prepared = Fewer(trainer.inputs["data"], trainer.account.unit)
    return replace(trainer, prepared=prepared, account=account_of(config, prepared.facts), teaching=config.teaching(trainer.inputs))


def _divisor(found: Watched) -> int:
    return divisor_of(found.privacy, found.account, found.trained.started)


def accounted(account: Account, noise: Noise, moves: float = 1.0) -> list[float]:
    """The noise multiplier of each step: what was composed, or, where one release stands for many steps, what the noise says that it runs through.

    ``moves``: by how many clip norms a contribution may move the sum.
    """
    releases = account.mechanism.releases
    if all(release.rate is not None for release in releases):
        runs = [(release.noise_multiplier * moves, release.count) for release in releases]
    else:
        runs = noise.runs(account.noise_multiplier, account.schedule.steps)
    return [multiplier for multiplier, count in runs for _ in range(count)]


def _noise(found: Watched, batches: Sequence[Tensor], run: StepRun) -> dict[str, Any]:
    """The direct test: what each step releases, times the divisor, less the twin's sum.

    ``rounding``: how far all sums together are from the twin's, in deviations, so by how much a statistic of all numbers may be moved by it at most.
    ``sum``: the same of the worst step, over the clip norm, for one contribution.
    """
    privacy = found.privacy
    multipliers = accounted(found.account, privacy.noise, privacy.clipping.engine.moves)
    divisor, test = _divisor(found), RecordedNoise(privacy.noise.coefficients)
    rounding, farthest, counts = 0.0, 0.0, []
    for step, indices in enumerate(batches):
        run.report.progress(step, len(batches), "adding up example by example")
        clip_norm = found.clip_norm
        deviation = clip_norm * found.privacy.clipping.rule.sum_multiplier(multipliers[step], divisor)
        by_loop, (by_engine, rule) = found.by_loop(indices, step), found.summed(indices, step)
        error = apart(by_loop, by_engine)
        rounding += (error / deviation) ** 2
        farthest = max(farthest, error / (clip_norm * max(1, len(indices))))
        update = found.release(indices, step)
        test.add({name: ((value.double() * divisor - by_loop[name].double()) / deviation).float() for name, value in update.items()})
        if isinstance(rule, Adapting):
            noisy = counted(rule.rule, rule.clip_norm, found.clip_norm, divisor)
            counts.append((noisy - rule.balance) / rule.rule.deviation(multipliers[step], divisor))
    return noise_facts(test, counts, privacy.noise, rounding, farthest)


def noise_facts(test: RecordedNoise, counts: Sequence[float], noise: Noise, rounding: float, farthest: float) -> dict[str, Any]:
    """What is written of the noise. ``counts``: noise of an adaptive rule's counts, in deviations. ``rounding``: sum of squares over steps."""
    p_values = test.p_values() | ({"count": _chi_square(counts)} if counts else {})
    spread = sum(abs(value) for value in noise.coefficients)
    return {"squares": test.squares, "numbers": test.numbers, "p_values": p_values, "rounding": math.sqrt(rounding) * spread, "sum": farthest}


def counted(rule: AdaptiveQuantile, before: float, after: float, contributions: int) -> float:
    """The count with its noise that moved a clip norm so: those not clipped less those clipped, by half."""
    share = rule.quantile - math.log(after / before) / rule.learning_rate
    return (share - 0.5) * contributions


def _chi_square(values: Sequence[float]) -> float:
    from scipy import stats

    chi, squares = stats.chi2(len(values)), sum(value**2 for value in values)
    return min(1.0, 2 * min(float(chi.cdf(squares)), float(chi.sf(squares))))
