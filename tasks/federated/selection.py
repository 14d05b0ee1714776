"""Selection: which devices are asked to train in a round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.history import History

Needed = Literal["activity", "history", "losses", "durations", "candidate losses", "gradients"]
"""What a strategy asks of devices beyond training: activity is known to the server; losses and durations come with updates; the last two are extra work."""


class Devices(Protocol):
    """Extra work that a strategy may ask of devices; the cost ledger counts it."""

    def losses(self, clients: NDArray[np.int64], most: int | None = None) -> NDArray[np.float64]:
        """(K,) mean loss of the current model on what each device holds, or on ``most`` examples of it, drawn anew each round."""

    def gradients(self, clients: NDArray[np.int64]) -> NDArray[np.float32]:
        """(K, D) each device's gradient of the current model, projected to D numbers that keep distances nearly."""


@dataclass(frozen=True)
class View:
    """What the server knows when it draws.

    Args:
        round: from 0.
        activity: (N,) records that each device holds now.
        available: (N,) whether it can be asked now; a device without records is never available.
        history: earlier rounds.
        devices: extra work that can be asked for.
        batch_size: of local training.
        public_size: the public number of devices, where rates may follow from public numbers alone; else None.
    """

    round: int
    activity: NDArray[np.int64]
    available: NDArray[np.bool_]
    history: History
    devices: Devices
    batch_size: int = 1
    public_size: int | None = None


@dataclass(frozen=True)
class Cohort:
    """Who was drawn.

    Args:
        clients: (m,) distinct, ascending; may be empty.
        draws: (m,) how often each was drawn; 1 without replacement.
        expected: (m,) expected number of draws of each, given who was available: the inclusion probability where nobody is
            drawn twice. None where it is not known.
        origin: ``exact``, ``estimated: how`` or ``none: why``.
    """

    clients: NDArray[np.int64]
    draws: NDArray[np.int64]
    expected: NDArray[np.float64] | None
    origin: str


class Selection(Component, ABC):
    """Base of every strategy.

    Class facts: ``needs`` says what it asks of devices; ``unbiased`` is the sentence a person reads on whether, and with which
    correction, the expected update equals that of all available devices; ``positive`` says whether every available device has a
    probability above 0, without which no correction helps; ``exact`` whether inclusion probabilities are known exactly.
    """

    needs: ClassVar[tuple[Needed, ...]] = ()
    unbiased: ClassVar[str] = ""
    positive: ClassVar[bool] = True
    exact: ClassVar[bool] = False

    @classmethod
    def stated(cls) -> dict[str, str]:
        """What a person must know of the strategy, by name: what it asks of devices, its probabilities, whether it is unbiased."""
        never = "" if cls.positive else "; some devices are never asked, or with a probability that no correction undoes"
        return {
            "needs": ", ".join(cls.needs) or "nothing of devices",
            "inclusion probabilities": ("exact" if cls.exact else "not known exactly") + never,
            "unbiased": cls.unbiased,
        }

    @abstractmethod
    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """The cohort of a round: a function of what the view holds and of the generator, which follows from (seed, round)."""

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64] | None:
        """(N,) exact expected draws of every device, 0 for the unavailable; None where there is no closed form."""
        return None

    def public_rates(self, activity: NDArray[np.int64], cohort_size: int, public_size: int) -> NDArray[np.float64] | None:
        """(K,) the rate of the coin of a device of each activity (K,), where it follows from its own activity and public numbers alone; None for every
        selection that is no such coin. A device that is not there changes nobody's coin: what accounting of privacy needs.
        """
        return None

    @property
    def largest_activity(self) -> int | None:
        """Above it activity counts as this; None where nothing bounds it."""
        return None


SELECTIONS = Family("selection", "tasks.federated.selections", Selection)
