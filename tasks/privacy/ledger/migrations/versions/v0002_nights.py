"""What each night decided, and which model is the champion."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "nights",
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
    op.create_table(
        "champions",
        Column("name", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("run", Text, nullable=False),
        Column("artifact", Text, nullable=False),
        Column("at", Text, nullable=False),
    )
