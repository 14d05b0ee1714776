"""What a population has spent over its lifetime, and what it may spend."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace

from tasks.core.errors import UserError
from tasks.privacy.account import Account, rounded_up
from tasks.privacy.accounts import together
from tasks.privacy.mechanism import ADJACENCY_WORDS, Adjacency, Mechanism, Release, Repetition

NOT_BEGUN = "it was not begun"
"""Stands in every refusal: what was refused has trained nothing and spent nothing."""


class BudgetExceeded(UserError):
    """A training would take its population past its budget: it may not begin."""


class Unlike(UserError):
    """A training hides another unit, or is between other neighbours, than the trainings that its population has: they do not compose."""


@dataclass(frozen=True)
class Budget:
    """The most that a population may spend over its lifetime."""

    epsilon: float
    delta: float


@dataclass(frozen=True)
class Spent:
    """All that the ledger holds of one population.

    Args:
        population: its name.
        mechanisms: what its private trainings released, begun or ended, each as often as it was.
        open, committed: how many of those trainings have not ended, or were killed, and how many have; both count.
        uncovered: trainings on it that no guarantee covers.
        level, adjacency: of all its private trainings; None where there is none.
        delta: the largest of theirs.
        budget: the last that was set.
    """

    population: str
    mechanisms: Counter[Mechanism] = field(default_factory=Counter)
    open: int = 0
    committed: int = 0
    uncovered: int = 0
    level: str | None = None
    adjacency: Adjacency | None = None
    delta: float | None = None
    budget: Budget | None = None

    @property
    def trainings(self) -> int:
        """Private trainings that count."""
        return self.open + self.committed

    def epsilon(self, delta: float) -> float:
        """Upper bound of all private trainings composed; those without a guarantee are not in it, for nothing bounds them."""
        return together(self.mechanisms, delta) if self.mechanisms else 0.0

    @property
    def at(self) -> float | None:
        """The delta at which it is told: the budget's, else the largest of the trainings."""
        return self.budget.delta if self.budget is not None else self.delta

    @property
    def left(self) -> float | None:
        """What the budget leaves, at its delta; None without one."""
        return None if self.budget is None else max(0.0, self.budget.epsilon - self.epsilon(self.budget.delta))

    @property
    def lifetime(self) -> float | None:
        """Epsilon of the lifetime; None where there is none to tell: uncovered trainings leave no guarantee, and nothing spent needs none."""
        return None if self.uncovered or self.at is None or not self.mechanisms else self.epsilon(self.at)

    @property
    def guarantee(self) -> str:
        """The lifetime's guarantee in words."""
        if self.uncovered:
            return f"not a guarantee: {counted(self.uncovered, 'uncovered training')}"
        if not self.mechanisms or self.at is None or self.adjacency is None:
            return "nothing spent"
        return f"{self.level} ({rounded_up(self.epsilon(self.at))}, {rounded_up(self.at)})-DP, {ADJACENCY_WORDS[self.adjacency]}"

    def after(self, account: Account) -> Spent:
        """What it will have spent with one more training. Raises Unlike, BudgetExceeded."""
        self.check(account)
        return replace(
            self,
            mechanisms=self.mechanisms + Counter([account.mechanism]),
            open=self.open + 1,
            level=account.level,
            adjacency=account.mechanism.adjacency,
            delta=max(self.delta or 0.0, account.delta),
        )

    def check(self, account: Account) -> None:
        """Whether one more training composes and fits the budget. Raises Unlike, BudgetExceeded."""
        asked = (account.level, account.mechanism.adjacency)
        if self.mechanisms and asked != (self.level, self.adjacency):
            had = f"{self.level}, {ADJACENCY_WORDS[self.adjacency or 'add-remove']}"
            raise Unlike(
                f"population '{self.population}': its trainings are {had}, this one is {account.level}, {ADJACENCY_WORDS[account.mechanism.adjacency]}: "
                f"they do not compose, so the lifetime would have no epsilon; {NOT_BEGUN}. Train alike, or name another population of other people"
            )
        if self.budget is None:
            return
        total = together(self.mechanisms + Counter([account.mechanism]), self.budget.delta)
        if total > self.budget.epsilon:
            spent = self.epsilon(self.budget.delta)
            at = f"delta {rounded_up(self.budget.delta)}"
            raise BudgetExceeded(
                f"population '{self.population}': its budget is epsilon {self.budget.epsilon:g} at {at}; {counted(self.trainings, 'private training')} "
                f"spent {rounded_up(spent)}, so {self.left:.3g} is left, and with this training it would be {rounded_up(total)}: "
                f"{NOT_BEGUN}. Train with more noise or fewer steps, or raise the budget (assay ledger budget)"
            )


def written(mechanism: Mechanism) -> str:
    """A mechanism as the ledger keeps it: canonical JSON."""
    return json.dumps(asdict(mechanism), sort_keys=True, separators=(",", ":"))


def read(text: str) -> Mechanism:
    """The mechanism that an entry keeps."""
    values = json.loads(text)
    repetition = None if values["repetition"] is None else Repetition(**values["repetition"])
    return Mechanism(tuple(Release(**release) for release in values["releases"]), values["adjacency"], repetition)


def counted(number: int, noun: str) -> str:
    """``1 training``, ``2 trainings``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
