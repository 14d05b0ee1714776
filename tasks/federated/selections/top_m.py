"""The most active devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopM(Selection):
    """The m available devices with the most records. Those with as many as the last of them are drawn uniformly, anew in every round.

    Inclusion probabilities are exact: 1 above the last place, the free places over the tied devices on it, 0 below. Ours, the extreme of
    selection by activity.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity",)
    unbiased: ClassVar[str] = "Never: devices below the last place have probability 0, so no weights make the cohort stand for them."
    positive: ClassVar[bool] = False
    exact: ClassVar[bool] = True

    kind: Literal["top-m"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """Those above the last place, and some of those on it."""
        import numpy as np

        from tasks.federated.selections._cohorts import EXACT, uniformly, without_replacement

        expected = self.expected_draws(view, cohort_size)
        above = np.flatnonzero(expected == 1)
        tied = np.flatnonzero((expected > 0) & (expected < 1))
        return without_replacement(np.concatenate([above, uniformly(tied, cohort_size - len(above), generator)]), expected, EXACT)

    def expected_draws(self, view: View, cohort_size: int) -> NDArray[np.float64]:
        """1, the share of the tied that there is a place for, or 0."""
        import numpy as np

        from tasks.federated.selections._cohorts import ready

        held = np.where(ready(view), view.activity, 0)
        if np.count_nonzero(held) <= cohort_size:
            return (held > 0).astype(np.float64)
        last = np.partition(held, len(held) - cohort_size)[len(held) - cohort_size]
        above, tied = held > last, held == last
        share = (cohort_size - int(np.count_nonzero(above))) / int(np.count_nonzero(tied))
        return np.where(above, 1.0, np.where(tied, share, 0.0))
