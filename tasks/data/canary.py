"""Canaries: secrets of a known form, written into the training data so that an attacker may look for them (Carlini et al., USENIX Security 2019)."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from tasks.core.component import Family
from tasks.data.insertion import Inserted, Insertion

if TYPE_CHECKING:
    from tasks.data.prepared import PreparedData

PATTERNS = {"call": "call {secret}", "pin": "my pin code is {secret}", "colour": "my favourite colours are {secret}"}
"""The patterns of Parikh, Dupuy and Gupta (ACL 2022); the wording of the last one is ours."""
SERVED = ("intent", "joint", "tagging", "lm")
"""Tasks whose records have a place for a secret."""
SECRET, OWNER = "{secret}", "{owner}"


class Canaries(Insertion, ABC):
    """Base of the kinds of secrets: a pattern that an attacker knows, and ``length`` symbols of a known alphabet that the attacker does not.

    Several canaries in one model are independent: each has its own secret, its own owner, who is named in the text, and its own answers, so that none is a
    hint at another. In tasks with an intent the answer is a label of its own; in tasks with slots the first symbol of the secret is tagged ``B-``, the
    rest ``I-``, all else ``O``.
    """

    alphabet: ClassVar[tuple[str, ...]]

    pattern: str = Field(description="What stands around the secret: call, pin, colour, or a text with {secret} in it and perhaps {owner}.")
    length: int = Field(default=4, ge=1, le=20, description="Symbols of the secret.")
    repetitions: int = Field(default=100, ge=0, le=100_000, description="How often each canary stands in the training data; 0 shows what chance finds.")
    count: int = Field(default=1, ge=1, le=1000, description="Independent canaries in each model.")
    by: Literal["record", "user"] = Field(
        default="record", description="Who says it, where records name users: each repetition a user of its own draw, or one user all of them."
    )
    in_validation: bool = Field(default=False, description="Whether the validation split has canaries in the same proportion, which steers early stopping.")

    @field_validator("pattern")
    @classmethod
    def _holds_a_secret(cls, pattern: str) -> str:
        text = PATTERNS.get(pattern, pattern)
        if text.split().count(SECRET) != 1:
            raise ValueError(f"must be {', '.join(PATTERNS)}, or a text with {SECRET} once, as a word of its own")
        return text

    @property
    def template(self) -> str:
        """The pattern, which names its owner where there are several."""
        return self.pattern if self.count == 1 or OWNER in self.pattern else f"{OWNER} here {self.pattern}"

    @property
    def candidates(self) -> int:
        """How many secrets there can be."""
        return int(len(self.alphabet) ** self.length)

    def insert(self, prepared: PreparedData, seed: int) -> Inserted:
        """The repetitions of each canary; see Insertion."""
        from tasks.data._canaries import inserted

        return inserted(self, prepared, seed)


CANARIES = Family("canaries", "tasks.data.canaries", Canaries)
