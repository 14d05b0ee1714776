"""Taking turns by how often a device was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np


class RoundRobin(Selection):
    """The m available devices that were asked the fewest times; among these, those asked longest ago, then by index.

    Where all are always available, this is a rotation by index. A device that was away is asked until it has caught up. It follows from the
    history of asking alone: no chance is in it, and resuming needs nothing else. Devices next to each other in the data train together.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("history",)
    unbiased: ClassVar[str] = "Only in the long run, as uniform selection; within a round it is decided who is asked, so there is no probability to divide by."

    kind: Literal["round-robin"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """The next in turn; the generator is not used."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, without_replacement

        among = candidates(view)
        times, last = view.history.times_asked[among], view.history.last_asked[among]
        return without_replacement(among[np.lexsort((among, last, times))][:cohort_size], None, "none: turns are taken in a fixed order")
