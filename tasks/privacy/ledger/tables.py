"""The tables of the ledger's database, as its newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint

METADATA = MetaData()

ENTRIES = Table(
    "entries",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("population", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("training", Text, nullable=False),
    Column("level", Text),
    Column("adjacency", Text),
    Column("mechanism", Text),
    Column("epsilon", Float(53)),
    Column("delta", Float(53)),
    Column("note", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("training", "action"),
    Index("entries_population", "population", "action"),
)
"""One row per thing that happened, never changed: see ``tasks.privacy.ledger.entry``."""
