"""The ledger's database: SQLite or PostgreSQL, brought to the newest form when it is opened, written by one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from tasks.core.errors import UserError
from tasks.core.places import shown_uri

NEWEST = "0002"
WAIT_SECONDS = 600
"""A writer waits for the others: each may take seconds to compose what a population has spent."""


class LedgerUnreachable(UserError):
    """The ledger cannot be opened or written: nothing that it should know of may begin."""


@cache
def opened(url: str) -> Engine:
    """The engine of a ledger, its tables there and of the newest form. Raises LedgerUnreachable."""
    with _told(url):
        engine = _engine(url)
        with reading(engine) as connection:
            current = _revision(connection)
        if current != NEWEST:
            with writing(engine) as connection:
                _upgrade(connection)
        return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that no other writer overlaps; all of it is on the disk when this ends, or nothing is. Raises LedgerUnreachable."""
    with _told(str(engine.url)), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('assay ledger'))"))
        yield connection


def now() -> str:
    """The time as rows keep it: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """What is written at that time. Raises LedgerUnreachable."""
    with _told(str(engine.url)), engine.connect() as connection:
        yield connection


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: Any, record: object) -> None:
    """Transactions begin when we say so, and a commit returns when it outlives a loss of power."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = EXTRA")


def _begun(connection: Connection) -> None:
    """A writer holds the database from the beginning: two that read first and wrote then could both pass one budget."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    """Run the missing migrations in the writer's transaction. Raises UserError where a newer Assay made the ledger."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerUnreachable(f"the ledger at {shown_uri(str(connection.engine.url))} is of a newer Assay ({error}): use that version") from None


@contextmanager
def _told(url: str) -> Iterator[None]:
    """An error of the database, or of the folder it lies in, in one line, without its password."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise LedgerUnreachable(
            f"the ledger at {shown_uri(url)} cannot be used ({said[0][:200] if said else type(error).__name__}): check ASSAY_LEDGER"
        ) from error
