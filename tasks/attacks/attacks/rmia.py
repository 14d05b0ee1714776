"""Membership inference by pairwise likelihood ratios against a population."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.attacks.shadowed import ShadowedAttack

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tasks.attacks._shadowed import Shadows


class Rmia(ShadowedAttack):
    """How many of a population a record beats in p(x) over the mean of reference models' p(x) (RMIA: Zarifzadeh, Liu and Shokri, ICML 2024).

    The share of the population that is beaten, by whatever factor, grows with the record's own ratio. So the ratio is the score: it ranks records as the
    share does, and breaks the many ties that a small population makes.
    """

    score: ClassVar[str] = "relative likelihood (RMIA)"

    kind: Literal["rmia"]
    references: int = Field(default=4, ge=1, le=1024, description="Reference models, which are the first shadow models.")
    mode: Literal["online", "offline"] = Field(default="offline", description="offline: only references without the record; online: with and without.")
    a: float = Field(default=0.3, ge=0, le=1, description="Offline: how much the mean with the record is taken to differ; 0.3 in Privacy Meter.")

    @property
    def needs_both(self) -> bool:
        """Online alone."""
        return self.mode == "online"

    @property
    def count(self) -> int:
        """The references."""
        return self.references

    @property
    def protocol(self) -> str:
        """With mode and number of references."""
        return f"{self.score}, {self.mode}, {self.references} references"

    def compare(self, table: pd.DataFrame, shadows: Shadows) -> NDArray[np.float64]:
        """The logarithm of the ratio."""
        from tasks.attacks._likelihood_ratio import log_relative

        return log_relative(table["logit"].to_numpy(dtype=float), shadows, self.mode == "offline", self.a)
