"""The chain of entries."""

from alembic import op
from sqlalchemy import Column, Float, Integer, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table, and the index by which a population's entries are found."""
    op.create_table(
        "entries",
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
    )
    op.create_index("entries_population", "entries", ["population", "action"])
