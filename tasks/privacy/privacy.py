"""Privacy mechanisms: what is done to a training so that it says little of any one person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from tasks.core.component import Component, Family
from tasks.privacy.account import Account
from tasks.privacy.mechanism import Release
from tasks.privacy.search import Search


@dataclass(frozen=True)
class Setting:
    """The public facts of a training that its account depends on.

    Args:
        public_size: the public number of units; None where the data block has none, which a rule refuses under privacy.
        expected_batch_size, epochs: of the training block.
        randomness: ``reproducible`` or ``secret``.
        search: a search by random stopping, or None.
    """

    public_size: int | None
    expected_batch_size: int
    epochs: float
    randomness: str
    search: Search | None = None


@dataclass(frozen=True)
class CohortSetting(Setting):
    """The public facts of a federated training: ``public_size`` counts devices, ``expected_batch_size`` is the size of a cohort that is asked for.

    Args:
        rounds: how many there are.
        rate: the largest probability with which any admissible device takes part in a round; 1 where nothing bounds it.
        separation: the least number of rounds between two takings part of a device.
        unit: what a device is, ``user`` or ``device``.
        extra: what is released of devices beside the model, each time with noise of its own.
    """

    rounds: int = 1
    rate: float = 1.0
    separation: int = 1
    unit: Literal["user", "device"] = "user"
    extra: tuple[Release, ...] = ()


def default_delta(public_size: int) -> float:
    """That of a mechanism that names none: a tenth of what publishing one record at random would meet."""
    return 1 / (10 * public_size)


class Privacy(Component, ABC):
    """Base of every privacy block."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the numbers that a private training records."""
        return ()

    @abstractmethod
    def account(self, setting: Setting) -> Account | None:
        """What the training spends; None without privacy. The first time for some numbers it may take seconds."""


PRIVACY = Family("privacy", "tasks.privacy.mechanisms", Privacy)


def no_privacy() -> Privacy:
    """What a block is that is left out."""
    found = PRIVACY.parse({"kind": "none"})
    assert isinstance(found, Privacy)
    return found


def guarantee(account: Account | None) -> str:
    """The guarantee tag of a run, with its conditions; ``none`` without privacy."""
    return "none" if account is None else account.guarantee
