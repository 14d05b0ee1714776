"""The ledger: the durable record of privacy spent on each population of people.

Before a private training begins, its cost is reserved in one transaction; when it has ended, the reservation is committed. Both count: whatever
happens between, nothing is under-counted. Rows are only ever added, each with the hash of the one before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, select

from tasks.core.places import ledger_url
from tasks.privacy.account import Account
from tasks.privacy.ledger.database import now, opened, reading, writing
from tasks.privacy.ledger.entry import GENESIS, Action, Entry, verify
from tasks.privacy.ledger.spent import Budget, Spent, read, written
from tasks.privacy.ledger.tables import ENTRIES

BATCH = 5_000


@dataclass(frozen=True)
class Ledger:
    """A ledger in a database. Every method raises LedgerUnreachable where that cannot be used."""

    engine: Engine

    def reserve(self, population: str, training: str, account: Account, note: str = "") -> Entry:
        """Reserve what a training will spend, before it begins. A training that is known keeps its reservation and spends nothing more.

        Raises Unlike, BudgetExceeded.

        Args:
            population: whose records.
            training: what tells this training from every other, also of the same settings: another random key is another training.
            account: what it spends.
            note: for people.
        """
        with writing(self.engine) as connection:
            known = _known(connection, training, "reserve")
            if known is not None:
                return known
            _spent(connection, population).check(account)
            cost = {"level": account.level, "adjacency": account.mechanism.adjacency, "mechanism": written(account.mechanism)}
            return _append(connection, population, "reserve", training, note, epsilon=account.epsilon, delta=account.delta, **cost)

    def commit(self, training: str) -> Entry:
        """Say that a training has ended; once. Raises KeyError for one without a reservation."""
        with writing(self.engine) as connection:
            known = _known(connection, training, "commit")
            if known is not None:
                return known
            reserved = _known(connection, training, "reserve")
            if reserved is None:
                raise KeyError(training)
            return _append(connection, reserved.population, "commit", training, "")

    def uncover(self, population: str, training: str, why: str) -> Entry:
        """Record a training on a population that no guarantee covers; once."""
        with writing(self.engine) as connection:
            return _known(connection, training, "uncovered") or _append(connection, population, "uncovered", training, why)

    def set_budget(self, population: str, budget: Budget) -> bool:
        """Set the most that a population may spend. Returns whether that is new."""
        with writing(self.engine) as connection:
            if _budget(connection, population) == budget:
                return False
            position = 1 + int(connection.execute(select(func.coalesce(func.max(ENTRIES.c.position), 0))).scalar_one())
            _append(connection, population, "budget", f"budget {position}", "", epsilon=budget.epsilon, delta=budget.delta)
            return True

    def populations(self) -> list[str]:
        """The names of all populations that the ledger knows, sorted."""
        with reading(self.engine) as connection:
            return sorted(connection.execute(select(ENTRIES.c.population).distinct()).scalars())

    def spent(self, population: str) -> Spent:
        """What a population has spent; nothing for one that is not known."""
        with reading(self.engine) as connection:
            return _spent(connection, population)

    def entries(self, population: str | None = None) -> Iterator[Entry]:
        """All entries, or those of a population, in their order."""
        chosen = select(ENTRIES).order_by(ENTRIES.c.position)
        if population is not None:
            chosen = chosen.where(ENTRIES.c.population == population)
        with reading(self.engine) as connection:
            for row in connection.execution_options(yield_per=BATCH).execute(chosen):
                yield _entry(row)

    def verify(self) -> str:
        """The hash of the last entry, once every entry was checked. Raises TamperedLedger."""
        return verify(self.entries())


def open_ledger() -> Ledger:
    """The ledger of this home, or the one that ASSAY_LEDGER or ASSAY_DATABASE names. Raises LedgerUnreachable."""
    return Ledger(opened(ledger_url()))


def _append(connection: Connection, population: str, action: Action, training: str, note: str, **cost: Any) -> Entry:
    """The next entry of the chain, in the writer's transaction."""
    last = connection.execute(select(ENTRIES.c.position, ENTRIES.c.hash).order_by(ENTRIES.c.position.desc()).limit(1)).first()
    position, previous = (1, GENESIS) if last is None else (last.position + 1, last.hash)
    values = {"level": None, "adjacency": None, "mechanism": None, "epsilon": None, "delta": None, **cost}
    entry = Entry(position, now(), population, action, training, note=note, previous=previous, **values).sealed()
    connection.execute(ENTRIES.insert().values(**asdict(entry)))
    return entry


def _known(connection: Connection, training: str, action: Action) -> Entry | None:
    row = connection.execute(select(ENTRIES).where(ENTRIES.c.training == training, ENTRIES.c.action == action)).first()
    return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def _budget(connection: Connection, population: str) -> Budget | None:
    chosen = _of(population, "budget").with_only_columns(ENTRIES.c.epsilon, ENTRIES.c.delta).order_by(ENTRIES.c.position.desc()).limit(1)
    row = connection.execute(chosen).first()
    return None if row is None else Budget(row.epsilon, row.delta)


def _of(population: str, action: Action) -> Select[Any]:
    return select(ENTRIES).where(ENTRIES.c.population == population, ENTRIES.c.action == action)


def _spent(connection: Connection, population: str) -> Spent:
    columns = (ENTRIES.c.mechanism, ENTRIES.c.level, ENTRIES.c.adjacency)
    chosen = _of(population, "reserve").with_only_columns(*columns, func.count().label("times"), func.max(ENTRIES.c.delta).label("delta")).group_by(*columns)
    rows = connection.execute(chosen).all()
    counts = select(ENTRIES.c.action, func.count()).where(ENTRIES.c.population == population).group_by(ENTRIES.c.action)
    actions: dict[str, int] = dict(connection.execute(counts).tuples().all())
    committed = actions.get("commit", 0)
    return Spent(
        population=population,
        mechanisms=Counter({read(row.mechanism): row.times for row in rows}),
        open=actions.get("reserve", 0) - committed,
        committed=committed,
        uncovered=actions.get("uncovered", 0),
        level=rows[0].level if rows else None,
        adjacency=rows[0].adjacency if rows else None,
        delta=max((row.delta for row in rows), default=None),
        budget=_budget(connection, population),
    )
