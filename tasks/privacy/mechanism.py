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
    ``limit`` of ``population``: a Poisson sample of which at most ``limit`` stay or, where ``fixed``, that many drawn without replacement.
    """

    noise_multiplier: float
    rate: float | None
    count: int
    limit: int | None = None
    population: int | None = None
    fixed: bool = False


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
        return len(self.releases) == 1 and self.releases[0].rate is not None and self.releases[0].limit is None and self.repetition is None

    @property
    def fixed_size(self) -> bool:
        """Whether a release is over a sample of fixed size, without replacement."""
        return any(release.fixed for release in self.releases)

    @property
    def truncated(self) -> bool:
        """Whether a release is over a Poisson sample that is cut where it is too large."""
        return any(release.limit is not None and not release.fixed for release in self.releases)

    def record(self) -> list[dict[str, Any]]:
        """The releases as ``privacy.json`` holds them; a limit where there is one."""
        found = [asdict(release) for release in self.releases]
        return [values if values["limit"] is not None else {name: values[name] for name in ("noise_multiplier", "rate", "count")} for values in found]


def as_event(mechanism: Mechanism) -> Any:
    """The mechanism in the words of dp-accounting (a ``DpEvent``)."""
    import dp_accounting as dp
    from dp_accounting.dp_event import RepeatAndSelectDpEvent

    events = []
    for release in mechanism.releases:
        events.append(dp.SelfComposedDpEvent(_one(release), release.count))
    event = events[0] if len(events) == 1 else dp.ComposedDpEvent(events)
    repeated = mechanism.repetition
    return event if repeated is None else RepeatAndSelectDpEvent(event, repeated.mean, repeated.shape)


def _one(release: Release) -> Any:
    """A single sum."""
    import dp_accounting as dp
    from dp_accounting.dp_event import SampledWithoutReplacementDpEvent, TruncatedSubsampledGaussianDpEvent

    gaussian = dp.GaussianDpEvent(release.noise_multiplier)
    if release.rate is None:
        return gaussian
    if release.limit is None or release.population is None:
        return dp.PoissonSampledDpEvent(release.rate, gaussian)
    if release.fixed:  # this event takes the noise over the whole sensitivity, which between data sets that differ in one record is twice the clip norm
        return SampledWithoutReplacementDpEvent(release.population, release.limit, dp.GaussianDpEvent(release.noise_multiplier / 2))
    return TruncatedSubsampledGaussianDpEvent(release.population, release.rate, release.limit, release.noise_multiplier)


def relation(adjacency: Adjacency) -> Any:
    """The neighbouring relation in the words of dp-accounting."""
    from dp_accounting import NeighboringRelation

    return {
        "add-remove": NeighboringRelation.ADD_OR_REMOVE_ONE,
        "replace-one": NeighboringRelation.REPLACE_ONE,
        "zero-out": NeighboringRelation.REPLACE_SPECIAL,
    }[adjacency]
