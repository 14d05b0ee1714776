"""Uniform selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.selection import Cohort, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Uniform(Selection):
    """As many of the available devices as asked for, without replacement, every subset equally likely (McMahan et al., AISTATS 2017).

    Each is included with probability m / |A|, exactly; where fewer than m are available, all of them are.
    """

    unbiased: ClassVar[str] = (
        "Unbiased over the available devices with horvitz-thompson weights; FedAvg's weights, renormalised over the cohort, are a ratio estimator: "
        "nearly unbiased in large cohorts."
    )
    exact: ClassVar[bool] = True

    kind: Literal["uniform"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """A simple random sample."""
        import numpy as np

        from tasks.federated.selections._cohorts import EXACT, ready, uniformly

        can = ready(view)
        count = int(np.count_nonzero(can))
        if count == len(can) and cohort_size < count:
            clients = np.sort(generator.choice(count, cohort_size, replace=False, shuffle=False))
        else:
            clients = np.sort(uniformly(np.flatnonzero(can), cohort_size, generator))
        rate = min(1.0, cohort_size / max(1, count))
        return Cohort(clients, np.ones(len(clients), dtype=np.int64), np.full(len(clients), rate), EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """m / |A| for the available."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready

        can = ready(view)
        return np.where(can, min(1.0, cohort_size / max(1, int(np.count_nonzero(can)))), 0.0)
