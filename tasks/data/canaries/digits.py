"""Secrets made of digits: telephone numbers, pin codes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.canary import Canaries


class Digits(Canaries):
    """Digits, each a word of its own and as likely as any other (patterns call and pin of Parikh, Dupuy and Gupta, ACL 2022)."""

    alphabet: ClassVar[tuple[str, ...]] = tuple("0123456789")

    kind: Literal["digits"]
    pattern: str = Field(default="pin", description="What stands around the secret: call, pin, or a text with {secret} in it and perhaps {owner}.")
