"""Attacks that calibrate what the target says of a record by what models say that were trained like it, with and without the record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tasks.attacks.attack import ATTACKS
from tasks.attacks.membership import MembershipAttack, Scored
from tasks.core.measures import Layout, Need, ShadowModels

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tasks.attacks._shadowed import Shadows


class ShadowedAttack(MembershipAttack, ABC):
    """Base of the attacks with shadow models (Shokri et al., S&P 2017). All attacks of a trial share them: who asks for fewer takes the first ones.

    A shadow is trained under the target's own spec, privacy included, with a seed and a pool of members of its own.
    """

    calibrated: ClassVar[bool] = True
    """Whether a record is compared with itself in shadows that were trained without it."""

    layout: Layout = Field(
        default="auto", description="How shadows are trained: many at once, one after another, or what is faster here, measured once per model and device."
    )

    @property
    def needs_both(self) -> bool:
        """Whether each record must be a member of some shadows, and not of others."""
        return True

    @property
    @abstractmethod
    def count(self) -> int:
        """How many shadow models."""

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """Those of every membership attack, and the shadows."""
        return (*super().needs(study), ShadowModels(count=self.count, layout=self.layout, of=most_shadows(study)))

    def scored(self, table: pd.DataFrame, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Scored:
        """By what the shadows say; a record that was in all of them, or in none, is told in the note."""
        from tasks.attacks._shadowed import shadows_of

        shadows = shadows_of(needed, table, self.count, self.unit, report)
        return Scored(self.compare(table, shadows), shadows.note(self.needs_both) if self.calibrated else "")

    @abstractmethod
    def compare(self, table: pd.DataFrame, shadows: Shadows) -> NDArray[np.float64]:
        """The score (N,) of every row of the table."""


def most_shadows(study: Mapping[str, Any]) -> int:
    """The largest number of shadows that an attack of a trial asks for; ``study`` as plain values."""
    found = [ATTACKS.parse(fields) for fields in study.get("attacks") or ()]
    return max((attack.count for attack in found if isinstance(attack, ShadowedAttack)), default=0)
