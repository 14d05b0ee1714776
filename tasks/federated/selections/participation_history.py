"""Uniform selection whose participation rates are estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np


class ParticipationHistory(Selection):
    """FedAU (Wang and Ji, ICLR 2024): a uniform draw from the available, with participation rates estimated where availability is unknown.

    The expected draws are one over the mean number of rounds between a device's participations so far, in which intervals are cut at
    ``cutoff`` rounds (the paper's online estimate); 1 as long as no interval has ended. Unlike those of every other strategy they cover
    availability and dropouts too. With horvitz-thompson weights this gives FedAU's weights, a device's share times its mean interval; the
    paper's devices have equal shares. The cut bounds these weights by ``cutoff``: a rate below 1 / cutoff is overestimated, so the cutoff
    should be above the number of devices over the cohort's size.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("history",)
    unbiased: ClassVar[str] = (
        "In the long run with horvitz-thompson weights, over all devices however often each is available; rates are estimates, poor in early rounds and "
        "never below 1 / cutoff."
    )

    kind: Literal["participation-history"]
    cutoff: int = Field(default=50, ge=1, description="Rounds after which an interval ends although the device did not take part.")

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """A simple random sample, and what the history says of those in it."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, uniformly
        from tasks.federated.selections._intervals import mean_intervals

        drawn = np.sort(uniformly(candidates(view), cohort_size, generator))
        intervals = mean_intervals(view.history.rounds, view.history.devices, drawn, self.cutoff)
        return Cohort(drawn, np.ones(len(drawn), dtype=np.int64), 1.0 / intervals, "estimated: participation intervals (FedAU)")
