"""The user as unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.privacy.sampler import Examples
from tasks.privacy.unit import Unit

if TYPE_CHECKING:
    from torch import Tensor

    from tasks.privacy.sharing import Sharing


class User(Unit):
    """Everything that one user wrote. Users are sampled, at most ``max_examples`` of one take part in a step, drawn anew, and their mean gradient is clipped
    as one contribution (McMahan et al., ICLR 2018). ``data.public_size`` and ``training.expected_batch_size`` then count users.
    """

    level: ClassVar[str] = "user-level"

    kind: Literal["user"]
    max_examples: int = Field(default=8, ge=1, le=100_000, description="Of one user in one step.")

    def examples(self, records: Tensor, users: Tensor | None) -> Examples:
        """By user."""
        assert users is not None  # a rule asks for them
        return Examples(users, self.max_examples)

    def sharing(self, examples: Examples) -> Sharing:
        """A user's mean."""
        from tasks.privacy.sharing import ByUnit

        return ByUnit(examples.units)
