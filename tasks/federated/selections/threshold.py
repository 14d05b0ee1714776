"""Uniform selection among devices that hold enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Threshold(Selection):
    """m of the available devices with at least so many records, every subset equally likely; all of them where there are fewer, perhaps none.

    Inclusion probabilities are exact: m over the devices that qualify, 0 for the rest. FedScale's size filter and the minimum of examples in
    common federated benchmarks do this silently.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity",)
    unbiased: ClassVar[str] = "Never: devices below the minimum have probability 0, so no weights make the cohort stand for them."
    positive: ClassVar[bool] = False
    exact: ClassVar[bool] = True

    kind: Literal["threshold"]
    minimum: int = Field(default=32, ge=1, description="Records that a device must hold to be asked.")

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """A simple random sample of those that qualify. Raises DataError where no device of the population holds enough."""
        import numpy as np

        from tasks.data.dataset import DataError
        from tasks.federated.selections._cohorts import EXACT, uniformly, without_replacement

        most = int(view.activity.max(initial=0))
        if most < self.minimum:
            raise DataError(f"no device holds {self.minimum} records in round {view.round + 1}, the most is {most}: lower federation.selection.minimum")
        expected = self.expected_draws(view, cohort_size)
        return without_replacement(uniformly(np.flatnonzero(expected), cohort_size, generator), expected, EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """m over the devices that qualify, for them."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready

        enough = ready(view) & (view.activity >= self.minimum)
        return np.where(enough, min(1.0, cohort_size / max(1, int(np.count_nonzero(enough)))), 0.0)
