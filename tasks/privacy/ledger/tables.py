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

NIGHTS = Table(
    "nights",
    METADATA,
    Column("study", Text, primary_key=True),
    Column("night", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("numbers", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("version", Integer),
)
"""One row per night of a retraining audit: see ``tasks.privacy.ledger.nights``."""

CHAMPIONS = Table(
    "champions",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""The champion of each registered model."""
