"""The example as unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.privacy.sampler import Examples
from tasks.privacy.unit import Unit

if TYPE_CHECKING:
    from torch import Tensor


class Example(Unit):
    """One record. Somebody with several records is hidden less well: k records cost about k epsilon (group privacy)."""

    level: ClassVar[str] = "example-level"

    kind: Literal["example"]

    def examples(self, records: Tensor, users: Tensor | None) -> Examples:
        """By record."""
        return Examples(records)

    def sharing(self, examples: Examples) -> None:
        """Nothing is shared."""
