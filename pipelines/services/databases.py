"""The databases of the records on a PostgreSQL server, made where they are missing."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from tasks.core.errors import UserError
from tasks.core.places import LEDGER_DATABASE, MLFLOW_DATABASE, PREFECT_DATABASE, database, shown_uri

NAMES = (PREFECT_DATABASE, MLFLOW_DATABASE, LEDGER_DATABASE)
CONNECT_SECONDS = 10


def missing() -> list[str]:
    """The databases that the configured server lacks. Raises UserError where it cannot be asked."""
    import psycopg2

    try:
        with closing(_connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            found = {row[0] for row in cursor.fetchall()}
    except psycopg2.Error as error:
        raise _refused(error) from None
    return [name for name in NAMES if name not in found]


def prepare() -> list[str]:
    """Make the missing databases of the configured server; returns their names, none where records lie in SQLite."""
    if database() is None:
        return []
    import psycopg2
    from psycopg2 import errors, sql

    made = []
    for name in missing():
        try:
            with closing(_connect()) as connection, connection.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            continue  # another process was faster
        except psycopg2.Error as error:
            raise _refused(error) from None
        made.append(name)
    return made


def _connect() -> Any:
    import psycopg2

    connection = psycopg2.connect(f"{database()}/postgres", connect_timeout=CONNECT_SECONDS)
    connection.autocommit = True  # a database is not made within a transaction
    return connection


def _refused(error: Exception) -> UserError:
    said = str(error).strip().splitlines()
    return UserError(f"the database server {shown_uri(database() or '')} refuses: {said[0] if said else type(error).__name__}")
