"""The example as unit."""

from __future__ import annotations

from typing import ClassVar, Literal

from tasks.privacy.unit import Unit


class Example(Unit):
    """One record. Somebody with several records is hidden less well: k records cost about k epsilon (group privacy)."""

    level: ClassVar[str] = "example-level"

    kind: Literal["example"]
