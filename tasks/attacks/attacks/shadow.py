"""Membership inference by a classifier that learnt on shadow models."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.attacks.shadowed import ShadowedAttack

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tasks.attacks._shadowed import Shadows


class Shadow(ShadowedAttack):
    """A logistic regression that tells, from what a model says of a record, whether the model was trained on it (Shokri et al., S&P 2017).

    It learns on all shadows together, which know of their own members, and is asked about the target: no record is calibrated on its own.
    """

    score: ClassVar[str] = "classifier of shadow outputs"
    calibrated: ClassVar[bool] = False

    kind: Literal["shadow"]
    shadows: int = Field(default=4, ge=1, le=1024, description="Shadow models.")

    @property
    def count(self) -> int:
        """As many as are asked for."""
        return self.shadows

    @property
    def protocol(self) -> str:
        """With the number of shadows."""
        return f"{self.score}, {self.shadows} shadows"

    def compare(self, table: pd.DataFrame, shadows: Shadows) -> NDArray[np.float64]:
        """The log odds of being a member, by a logistic regression on a spline of the logit."""
        from tasks.attacks._shadowed import classified

        return classified(table["logit"].to_numpy(dtype=float), shadows)
