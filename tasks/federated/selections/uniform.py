"""Uniform selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Uniform(Selection):
    """As many of the available devices as asked for, every subset equally likely (McMahan et al., AISTATS 2017), or a coin each.

    Each is included with probability m / |A|, exactly; where fewer than m are available, all of them are. Under ``design: poisson`` coins are
    independent, the size varies, and in a private training their rate is m over the public number of devices, whoever is there.
    """

    unbiased: ClassVar[str] = (
        "Unbiased over the available devices with horvitz-thompson weights; FedAvg's weights, renormalised over the cohort, are a ratio estimator: "
        "nearly unbiased in large cohorts."
    )
    exact: ClassVar[bool] = True

    kind: Literal["uniform"]
    design: Literal["fixed-size", "poisson"] = Field(
        default="fixed-size", description="Always the size asked for, without replacement, or independent coins (the size varies, privacy can be accounted)."
    )

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """A simple random sample, or a coin per device."""
        import numpy as np

        from tasks.federated.selections._cohorts import EXACT, ready, uniformly, without_replacement
        from tasks.federated.selections._rates import poisson

        if self.design == "poisson":
            rates = self.expected_draws(view, cohort_size)
            return without_replacement(poisson(rates, generator), rates, EXACT)
        can = ready(view)
        count = int(np.count_nonzero(can))
        if count == len(can) and cohort_size < count:
            clients = np.sort(generator.choice(count, cohort_size, replace=False, shuffle=False))
        else:
            clients = np.sort(uniformly(np.flatnonzero(can), cohort_size, generator))
        rate = min(1.0, cohort_size / max(1, count))
        return Cohort(clients, np.ones(len(clients), dtype=np.int64), np.full(len(clients), rate), EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """m / |A| for the available, or m over the public number of devices."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready

        can = ready(view)
        of = view.public_size if view.public_size is not None and self.design == "poisson" else int(np.count_nonzero(can))
        return np.where(can, min(1.0, cohort_size / max(1, of)), 0.0)

    def public_rates(self, activity: NDArray[np.int64], cohort_size: int, public_size: int) -> NDArray[np.float64] | None:
        """m / N, whatever the activity, where devices throw coins."""
        import numpy as np

        return np.full(len(activity), min(1.0, cohort_size / public_size)) if self.design == "poisson" else None

    @property
    def largest_activity(self) -> int:
        """Activity does not matter."""
        return 1
