"""Active federated learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AFL(Selection):
    """Active federated learning (Goetz et al. 2019): devices are drawn by a soft maximum of what their last loss says they are worth.

    A device's value is made of the mean training loss that it last reported. The floor(alpha1 |A|) smallest values, among them those of
    devices never heard of, become minus infinity (for this draw only; Plato keeps them so until the device reports again). Then
    floor((1 - alpha3) m) devices are drawn one after the other without replacement with p in proportion to exp(alpha2 v) + 0.01, the rest
    uniformly from those left. The 0.01, from Plato's code, is what unheard devices live on.

    ``valuation``: ``root-n-loss`` is the paper's, the summed loss over the root of the records, hence root n times the mean loss;
    ``loss-over-root-n`` is the formula as Plato's code applies it to a mean loss, which prefers light devices.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity", "losses")
    unbiased: ClassVar[str] = "No: devices with a high loss are preferred, and draws one after the other have no closed inclusion probability."

    kind: Literal["afl"]
    alpha1: float = Field(default=0.75, ge=0, le=1, description="Share of devices, those of least value, that is treated like unheard ones.")
    alpha2: float = Field(default=0.01, ge=0, le=100, description="What values are multiplied with before the exponential.")
    alpha3: float = Field(default=0.1, ge=0, le=1, description="Share of the cohort that is drawn uniformly.")
    valuation: Literal["root-n-loss", "loss-over-root-n"] = Field(
        default="root-n-loss", description="Value of a device from its records n and mean loss: root n times the loss (the paper), or loss over root n (Plato)."
    )

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """By value, then uniformly."""
        import math

        import numpy as np

        from tasks.federated.selections._cohorts import candidates, sequentially, uniformly, without_replacement

        among = candidates(view)
        by_value = math.floor((1 - self.alpha3) * cohort_size + 1e-9)
        drawn = sequentially(among, self.probabilities(view, among), by_value, generator)
        rest = np.setdiff1d(among, drawn, assume_unique=True)
        drawn = np.concatenate([drawn, uniformly(rest, cohort_size - len(drawn), generator)])
        return without_replacement(drawn, None, "none: drawn one after the other by losses")

    def probabilities(self, view: View, among: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,) of the first draw by value, for those that can be drawn."""
        import numpy as np

        if len(among) == 0:
            return np.zeros(0)
        root, loss = np.sqrt(view.activity[among]), view.history.mean_loss[among]
        values = root * loss if self.valuation == "root-n-loss" else loss / root
        values = np.where(np.isnan(values), -np.inf, values)
        values[np.argsort(values, kind="stable")[: int(self.alpha1 * len(among))]] = -np.inf
        # Divided by the largest exponential, which changes no probability and cannot overflow.
        highest = max(0.0, float(self.alpha2 * values.max())) if np.isfinite(values).any() else 0.0
        exponents = np.where(np.isinf(values), -np.inf, self.alpha2 * np.where(np.isinf(values), 0.0, values) - highest)
        weights = np.exp(exponents) + 0.01 * np.exp(-highest)
        probabilities: NDArray[np.float64] = weights / weights.sum()
        return probabilities
