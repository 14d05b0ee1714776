"""Privacy mechanisms: what is done to a training so that it says little of any one person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tasks.core.component import Component, Family
from tasks.privacy.account import Account
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


def guarantee(account: Account | None) -> str:
    """The guarantee tag of a run, with its conditions; ``none`` without privacy."""
    return "none" if account is None else account.guarantee
