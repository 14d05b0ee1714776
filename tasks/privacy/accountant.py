"""Accountants: from what a training releases to an upper bound on epsilon."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from tasks.core.errors import UserError
from tasks.privacy.mechanism import Mechanism


@dataclass(frozen=True)
class Bound:
    """What an accountant says: the true epsilon lies at or below ``high``; ``low`` is a lower bound where it has one."""

    high: float
    low: float | None = None


class Accountant(ABC):
    """Base of every accountant."""

    name: ClassVar[str]
    library: ClassVar[str]

    @abstractmethod
    def unsupported(self, mechanism: Mechanism) -> str | None:
        """Why it cannot account for a mechanism; None where it can."""

    @abstractmethod
    def epsilon(self, mechanism: Mechanism, delta: float) -> Bound:
        """The bound at a delta. Raises OutOfReach where its arithmetic gives none."""


class AccountingError(UserError):
    """Two accountants contradict each other: one of them is wrong, so no number is reported."""


class OutOfReach(UserError):
    """An accountant that supports a mechanism, but whose arithmetic gives no number for it at this delta."""


@cache
def epsilon(name: str, mechanism: Mechanism, delta: float) -> Bound:
    """What an accountant says, asked once per process."""
    return accountants()[name].epsilon(mechanism, delta)


def accountants() -> dict[str, Accountant]:
    """Every accountant whose value is a bound, by name."""
    from tasks.privacy.accountants.pld import Pld
    from tasks.privacy.accountants.prv import Prv
    from tasks.privacy.accountants.rdp import Rdp

    return {one.name: one for one in (Pld(), Rdp(), Prv())}
