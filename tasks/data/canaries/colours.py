"""Secrets made of names of colours."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.canary import Canaries


class Colours(Canaries):
    """Names of colours, each as likely as any other: a secret of ordinary words (pattern colour of Parikh, Dupuy and Gupta, ACL 2022; the list is ours)."""

    alphabet: ClassVar[tuple[str, ...]] = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")

    kind: Literal["colours"]
    pattern: str = Field(default="colour", description="What stands around the secret: colour, or a text with {secret} in it and perhaps {owner}.")
