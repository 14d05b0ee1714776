"""Taking turns by when a device was last asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np


class LeastRecent(Selection):
    """The m available devices that were asked longest ago, never-asked ones first, then by index.

    Unlike ``round-robin`` a device that was away does not catch up: it is served once and goes to the end of the queue.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("history",)
    unbiased: ClassVar[str] = "Only in the long run and where all are equally available; within a round it is decided who is asked."

    kind: Literal["least-recent"]

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """The front of the queue; the generator is not used."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, without_replacement

        among = candidates(view)
        last = view.history.last_asked[among]
        return without_replacement(among[np.argsort(last, kind="stable")][:cohort_size], None, "none: turns are taken in a fixed order")
