"""The account of a private training: its epsilon with every condition that makes it true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import ROUND_CEILING, Decimal
from typing import Any, Protocol

from tasks.privacy.mechanism import ADJACENCY_WORDS, Mechanism

COVERS = "the trained weights; not numbers measured on private records, nor the choice among several runs"
COVERS_CHECKS = "the trained weights and the scores of checks; not other numbers measured on private records, nor the choice among several runs"
MICRO_BATCH = "a micro-batch: a group of examples that is there or not as one, not an utterance; what per-example clipping has at the same noise"


class Course(Protocol):
    """How often and how many, from public numbers alone."""

    @property
    def public_size(self) -> int:
        """The public number of units."""

    @property
    def expected_batch_size(self) -> int:
        """Expected units of a release: the divisor of the noisy sum."""

    @property
    def rate(self) -> float:
        """The largest probability that a unit takes part in a release."""

    @property
    def steps(self) -> int:
        """How many releases of the model there are."""


@dataclass(frozen=True)
class Account:
    """What a private training spends.

    Args:
        mechanism: all that is released.
        schedule: rate, steps and divisor.
        noise_multiplier: given, or calibrated to the target.
        delta: at which epsilon holds.
        epsilons: upper bound by accountant; ``reported`` names the one that counts.
        unit, level: whose presence is hidden, ``example`` and ``example-level``.
        sampler: its kind.
        randomness: ``reproducible`` or ``secret``.
        clipping: the block of that name as plain values: engine and rule.
        sensitivity: the most that a contribution moves the sum, the clip norm; of a rule that adapts, at first.
        participation: of devices in rounds, where that is what is bounded.
        covers: what it is of.
        micro_batch: epsilon of a whole micro-batch at this noise, a weaker unit, where micro-batches are clipped; else None.
    """

    mechanism: Mechanism
    schedule: Course
    noise_multiplier: float
    delta: float
    epsilons: dict[str, float]
    reported: str
    unit: str
    level: str
    sampler: str
    randomness: str
    clipping: Mapping[str, Any] = field(default_factory=dict)
    sensitivity: float | None = None
    micro_batch: float | None = None
    participation: Mapping[str, Any] = field(default_factory=dict)
    covers: str = COVERS

    @property
    def epsilon(self) -> float:
        """The reported upper bound."""
        return self.epsilons[self.reported]

    @property
    def guarantee(self) -> str:
        """The tag: ``example-level (3.0, 1e-05)-DP, add/remove``, rounded up; with a seed for a key it is only simulated."""
        return self.guarantee_of(self.epsilon, self.delta)

    def guarantee_of(self, epsilon: float, delta: float) -> str:
        """The same words with other numbers: those of several trainings of this kind together."""
        said = f"{self.level} ({rounded_up(epsilon)}, {rounded_up(delta)})-DP, {ADJACENCY_WORDS[self.mechanism.adjacency]}"
        return said if self.randomness == "secret" else f"simulated: {said}"

    @property
    def conditions(self) -> dict[str, str]:
        """What two epsilons must share to be compared."""
        return {
            "unit": self.unit,
            "adjacency": self.mechanism.adjacency,
            "delta": rounded_up(self.delta),
            "accountant": self.reported,
        }

    @property
    def agreement(self) -> str:
        """Who was asked beside the reported accountant."""
        others = [name for name in self.epsilons if name != self.reported]
        return f"agrees with {' and '.join(others)}" if others else "single accountant"

    def record(self) -> dict[str, Any]:
        """What ``privacy.json`` says."""
        return {
            "guarantee": self.guarantee,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "unit": self.unit,
            "adjacency": self.mechanism.adjacency,
            "sampler": self.sampler,
            "rate": self.schedule.rate,
            "steps": self.schedule.steps,
            "divisor": self.schedule.expected_batch_size,
            "public_size": self.schedule.public_size,
            "noise_multiplier": self.noise_multiplier,
            **({"participation": dict(self.participation)} if self.participation else {}),
            "clipping": dict(self.clipping),
            "sensitivity": self.sensitivity,
            "accountant": self.reported,
            "accountants": self.epsilons,
            "agreement": self.agreement,
            "micro_batch": None if self.micro_batch is None else {"epsilon": self.micro_batch, "unit": MICRO_BATCH},
            "events": self.mechanism.record(),
            "repetition": None if self.mechanism.repetition is None else asdict(self.mechanism.repetition),
            "randomness": self.randomness,
            "generator": "torch and numpy, not cryptographic",
            "covers": self.covers,
        }


def rounded_up(value: float) -> str:
    """Three digits, never less than the value: ``3``, ``2.99``, ``7.7e-06``."""
    if value <= 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    exact = Decimal(repr(float(value)))
    return f"{float(exact.quantize(Decimal((0, (1,), exact.adjusted() - 2)), rounding=ROUND_CEILING)):.3g}"
