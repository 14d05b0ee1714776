"""The check of a federation's mechanism as it runs: the direct test of its noise, and the neighbouring-populations test, on the study's own data,
population and network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tasks.core.seeds import numpy_generator
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.federated.aggregation import PrivateAggregation
from tasks.federated.alone import Alone
from tasks.federated.federating import Begun, begun
from tasks.federated.jobs import Job
from tasks.federated.neighbours import fewer, public_numbers, rates_of
from tasks.federated.population import Population
from tasks.federated.seen import Moves, Seen
from tasks.privacy.account import Account
from tasks.privacy.clip_rules.adaptive_quantile import AdaptiveQuantile
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tasks.training.checking import accounted, counted, noise_facts
from tasks.training.mechanism_check import FACTS, OF_RECORD
from tasks.training.neighbours import Moved
from tasks.training.recorded_noise import RecordedNoise
from tasks.training.watched import apart, still

if TYPE_CHECKING:
    from tasks.federated.steps import FederateConfig


def write_check(config: FederateConfig, rounds: int, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Check a federation and write the facts: numbers and names of tests, never a text nor an id. Raises what a training raises before its first round."""
    run = replace(run, device="cpu") if run.device.startswith("mps") else run  # which has no fp64
    prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
    last = len(population.names) - 1
    with begun(config, inputs, prepared, population, seed, run) as found:
        facts: dict[str, Any] = {"private": found.account is not None}
        if found.account is not None:
            numbers = public_numbers(found.rounds, found.account, last)
            facts |= _looked_at(found, config, rounds, inputs, seed, run)
    if found.account is not None:
        del found  # its network goes before its neighbour's comes
        with begun(config, inputs, *fewer(prepared, population), seed, run) as other:
            assert other.account is not None
            others = public_numbers(other.rounds, other.account, last)
        facts["follows_from_the_records"] = [name for name, value in numbers.items() if others[name] != value]
    (run.folder / FACTS).write_text(json.dumps(facts, indent=1) + "\n")


def _looked_at(found: Begun, config: FederateConfig, count: int, inputs: Mapping[str, Path], seed: int, run: StepRun) -> dict[str, Any]:
    """What is seen on the population as it is; of the rounds the one with most devices stands for all in how far one moves a sum."""
    rounds, account, privacy = found.rounds, found.account, config.privacy
    assert account is not None and isinstance(privacy, DpFedAvg) and isinstance(rounds.aggregation, PrivateAggregation)
    rate = float(rates_of(rounds).max(initial=0.0)) / min(1.0, account.schedule.rate)
    network = config.model.start(found.shape, inputs, seed).network.to(run.device)
    for one in (rounds.work.network, network):
        still(one)
        one.double()
    rounds.aggregation = seen = Seen(rounds.aggregation)
    looked = Looked(found, account, privacy, seen, Alone(network, rounds.work, privacy.clipping.rule, account.schedule.expected_batch_size))
    noise, cohorts = looked.noise(min(count, account.schedule.steps), run)
    largest = max(range(len(cohorts)), key=lambda number: len(cohorts[number]))
    change = looked.moves(cohorts[largest], largest, seed) if cohorts[largest] else None
    return {
        "record": {name: value for name, value in account.record().items() if name in OF_RECORD},
        "conditions": account.conditions,
        "release": "round",
        "steps": len(cohorts),
        "own_twin": False,
        "precision": "fp64",
        "noise": noise,
        "moved": None if change is None else asdict(change),
        "rate": rate,
    }


@dataclass(frozen=True)
class Looked:
    """A private federation at its first weights, without dropout, in fp64: then what is summed can be had twice. After some steps of Adam in fp32 two ways of
    training a device are further apart than noise can be told from.

    Args:
        found, account, privacy: what is carried out, and what it is said to spend.
        seen: its aggregation.
        twin: the slow obvious one.
    """

    found: Begun
    account: Account
    privacy: DpFedAvg
    seen: Seen
    twin: Alone

    def noise(self, count: int, run: StepRun) -> tuple[dict[str, Any], list[list[Job]]]:
        """The direct test of some rounds, and who sent what in them: what each releases, times the divisor, less the twin's sum.

        ``rounding`` and ``sum``: as of a training (see training/checking.py).
        """
        rounds, rule, divisor = self.found.rounds, self.privacy.clipping.rule, self.account.schedule.expected_batch_size
        multipliers, test = accounted(self.account, self.privacy.noise), RecordedNoise(self.privacy.noise.coefficients)
        rounding, farthest, counts, cohorts = 0.0, 0.0, [], []
        for number in range(count):
            run.report.progress(number, count, "adding up device by device")
            drawn, clip_norm = rounds.draw(number), self.seen.clip_norm
            deviation = clip_norm * rule.sum_multiplier(multipliers[number], divisor)
            released = rounds.release(drawn, number)
            rounds.enter(drawn, released)
            alone, balance = self.twin.clipped_sum(drawn.weighted, clip_norm)
            error = apart(alone, self._named(self.seen.before_noise))
            rounding += (error / deviation) ** 2
            farthest = max(farthest, error / (clip_norm * max(1, len(drawn.weighted))))
            assert released.update is not None
            test.add({name: ((value * divisor - alone[name]) / deviation).float() for name, value in self._named(released.update).items()})
            if isinstance(rule, AdaptiveQuantile):
                noisy = counted(rule, clip_norm, self.seen.clip_norm, divisor)
                counts.append((noisy - balance) / rule.deviation(multipliers[number], divisor))
            cohorts.append(drawn.weighted)
        return noise_facts(test, counts, self.privacy.noise, rounding, farthest), cohorts

    def moves(self, jobs: Sequence[Job], number: int, seed: int) -> Moved:
        """How far one device of a cohort moves what its round releases."""
        generator = numpy_generator(seed, "mechanism-check")
        divisor = self.account.schedule.expected_batch_size
        return Moves(self.seen, self.found.rounds.layout, jobs, self.privacy.clipping.rule, divisor, number, generator).moved()

    def _named(self, values: Sequence[Tensor]) -> dict[str, Tensor]:
        return dict(zip(self.found.rounds.work.trained, values, strict=True))
