"""Secrets: a spec names the variable of the environment that holds one; the value is read when it is used and stands in no record."""

from __future__ import annotations

import os
import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tasks.core.errors import UserError

_NAMED = r"\$\{[A-Za-z_][A-Za-z0-9_]{0,99}\}"


def _named(text: str) -> str:
    if not re.fullmatch(_NAMED, text):
        # no ValueError: of those the wrong value is quoted, and it may be the secret itself
        raise PydanticCustomError("secret", "must name a variable of the environment, ${NAME}: what it holds is a secret and has no place in a file")
    return text


Secret = Annotated[str, AfterValidator(_named), WithJsonSchema({"type": "string", "pattern": f"^{_NAMED}$"})]


def revealed(secret: str) -> str:
    """What the variable holds now. Raises UserError where it is not set."""
    name = secret[2:-1]
    value = os.environ.get(name)
    if not value:
        raise UserError(f"the environment has no {name}, which {secret} of the study names")
    return value
