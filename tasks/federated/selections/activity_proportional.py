"""Selection in proportion to activity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ActivityProportional(Selection):
    """Devices are included with probability min(1, c n^alpha): the more records, the more often (alpha 0: uniformly, 1: in proportion).

    c is solved so that the expected cohort is as large as asked for among the available (or all of them, where fewer are), so that devices
    capped at 1 do not make cohorts small. Both designs have exactly these inclusion probabilities:

    - ``poisson``: a coin per device, independent; the cohort's size varies, and it may be empty. What accounting of privacy needs.
    - ``fixed-size``: systematic sampling over a random order (Madow 1949; Hartley and Rao 1962). The size is always the one asked for;
      probabilities of pairs are not known, and may be 0.

    Selecting by activity is the idea of Dupuy et al. (ICASSP 2022); the family of powers is ours.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity",)
    unbiased: ClassVar[str] = (
        "Unbiased over the available devices with horvitz-thompson weights; with FedAvg's weights active devices count twice, by how often they are "
        "asked and by what their update weighs."
    )
    exact: ClassVar[bool] = True

    kind: Literal["activity-proportional"]
    alpha: float = Field(default=1.0, ge=0, le=10, description="Power of the activity: 0 is uniform, 1 in proportion.")
    design: Literal["poisson", "fixed-size"] = Field(
        default="poisson", description="Independent coins (the size varies, privacy can be accounted) or always the size asked for (systematic sampling)."
    )
    activity_cap: int | None = Field(
        default=None, ge=1, description="Activity above this counts as this, so that no device is asked at every round; null: no cap."
    )

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """By the design, at the rates of ``expected_draws``."""
        from tasks.federated.selections._cohorts import EXACT, without_replacement
        from tasks.federated.selections._rates import poisson, systematic

        rates = self.expected_draws(view, cohort_size)
        clients = poisson(rates, generator) if self.design == "poisson" else systematic(rates, generator)
        return without_replacement(clients, rates, EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """min(1, c n^alpha), which sum to the cohort size."""
        from tasks.federated.selections._rates import activity_weights, capped_rates

        return capped_rates(activity_weights(view, self.alpha, self.activity_cap), cohort_size)
