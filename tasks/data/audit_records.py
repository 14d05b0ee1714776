"""Records made for an audit: strange texts with random answers, each in the training data by a fair coin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.data.insertion import Inserted, Insertion

if TYPE_CHECKING:
    from tasks.data.prepared import PreparedData


class AuditRecords(Insertion):
    """``count`` texts of words that nobody else says, with answers drawn at random: a model has no way to them but by heart.

    Each is a member by a fair coin of its own, as audits with one run ask (Steinke, Nasr and Jagielski, NeurIPS 2023). A text says few ``different`` words
    in turn until it has as many ``words``: what it does to a model is longer than a clip norm, and lies where no other text is.
    """

    kind: Literal["audit-records"]
    count: int = Field(ge=1, le=1_000_000)
    words: int = Field(default=8, ge=1, le=64)
    different: int = Field(default=2, ge=1, le=64)
    own_users: bool = False
    """Whether each is of a user of its own, where users are what is protected; else of users drawn among the others."""
    texts: int | None = None
    """Decides the texts and answers, so that several models are told of the same ones; without it the step's seed does. The coins are the step's always."""

    def insert(self, prepared: PreparedData, seed: int) -> Inserted:
        """Members in the split ``train``; all of them, with the column ``included``, in the split ``canaries``."""
        from tasks.data._audit_records import inserted

        return inserted(self, prepared, seed)
