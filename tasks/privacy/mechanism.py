"""What a training releases, as public numbers: the input of every accountant. Nothing here depends on private data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Adjacency = Literal["add-remove", "replace-one", "zero-out"]
ADJACENCY_WORDS: dict[str, str] = {"add-remove": "add/remove", "replace-one": "replace one", "zero-out": "zero-out"}


@dataclass(frozen=True)
class Release:
    """``count`` Gaussian sums, each over a Poisson sample of rate ``rate``, or over everybody where the rate is None.

    ``noise_multiplier`` is the noise's standard deviation over the clip norm: over what adding one unit can change the sum.
    """

    noise_multiplier: float
    rate: float | None
    count: int


@dataclass(frozen=True)
class Repetition:
    """The whole is repeated a random number of times and only the best is released (Papernot and Steinke, ICLR 2022).

    The number follows a truncated negative binomial law of that mean and shape: 1 is geometric, 0 logarithmic, infinity Poisson.
    """

    mean: float
    shape: float


@dataclass(frozen=True)
class Mechanism:
    """Everything released, one release after the other, between which neighbouring data sets."""

    releases: tuple[Release, ...]
    adjacency: Adjacency = "add-remove"
    repetition: Repetition | None = None

    @property
    def plain_poisson(self) -> bool:
        """Whether it is one Poisson-sampled Gaussian, repeated a fixed number of times."""
        return len(self.releases) == 1 and self.releases[0].rate is not None and self.repetition is None

    def record(self) -> list[dict[str, Any]]:
        """The releases as ``privacy.json`` holds them."""
        return [asdict(release) for release in self.releases]


def as_event(mechanism: Mechanism) -> Any:
    """The mechanism in the words of dp-accounting (a ``DpEvent``)."""
    import dp_accounting as dp
    from dp_accounting.dp_event import RepeatAndSelectDpEvent

    events = []
    for release in mechanism.releases:
        gaussian = dp.GaussianDpEvent(release.noise_multiplier)
        one = gaussian if release.rate is None else dp.PoissonSampledDpEvent(release.rate, gaussian)
        events.append(dp.SelfComposedDpEvent(one, release.count))
    event = events[0] if len(events) == 1 else dp.ComposedDpEvent(events)
    repeated = mechanism.repetition
    return event if repeated is None else RepeatAndSelectDpEvent(event, repeated.mean, repeated.shape)


def relation(adjacency: Adjacency) -> Any:
    """The neighbouring relation in the words of dp-accounting."""
    from dp_accounting import NeighboringRelation

    return {
        "add-remove": NeighboringRelation.ADD_OR_REMOVE_ONE,
        "replace-one": NeighboringRelation.REPLACE_ONE,
        "zero-out": NeighboringRelation.REPLACE_SPECIAL,
    }[adjacency]
