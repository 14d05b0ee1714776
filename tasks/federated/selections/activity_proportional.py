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

    With ``public_activity`` c is ``cohort_size / public_activity``: a device's rate follows from its own activity and public numbers, so that nobody's
    presence changes the coin of another, and the expected cohort is as large as the public number is right.

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
    public_activity: float | None = Field(
        default=None,
        gt=0,
        description="Public sum over devices of activity (after the cap) to the power alpha, which fixes c; null: c follows from activity.",
    )

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """By the design, at the rates of ``expected_draws``."""
        from tasks.federated.selections._cohorts import EXACT, without_replacement
        from tasks.federated.selections._rates import poisson, systematic

        rates = self.expected_draws(view, cohort_size)
        clients = poisson(rates, generator) if self.design == "poisson" else systematic(rates, generator)
        return without_replacement(clients, rates, EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """min(1, c n^alpha), which sum to the cohort size where c is not public."""
        import numpy as np

        from tasks.federated.selections._rates import activity_weights, capped_rates

        weights = activity_weights(view, self.alpha, self.activity_cap)
        if self.public_activity is not None:
            return np.minimum(1.0, weights * (cohort_size / self.public_activity))
        return capped_rates(weights, cohort_size)

    def public_rates(self, activity: NDArray[np.int64], cohort_size: int, public_size: int) -> NDArray[np.float64] | None:
        """min(1, c n^alpha), where c is public and devices throw coins."""
        import numpy as np

        if self.design != "poisson" or self.public_activity is None:
            return None
        counted = activity if self.activity_cap is None else np.minimum(activity, self.activity_cap)
        return np.minimum(1.0, counted.astype(np.float64) ** self.alpha * (cohort_size / self.public_activity))

    @property
    def largest_activity(self) -> int | None:
        """The cap; where alpha is 0 activity does not matter."""
        return 1 if self.alpha == 0 else self.activity_cap
