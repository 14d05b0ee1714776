"""Diverse selection by gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np


class DivFL(Selection):
    """The m devices whose gradients stand best for all (Balakrishnan et al., ICLR 2022).

    Greedy facility location: each time the device is added that most lowers the sum, over candidates, of the distance between a device's
    gradient and the nearest chosen one. The paper asks all devices for gradients in every round; ``candidates`` bounds that work by a uniform
    draw first (null: all available). Distances are those of projected gradients. Beyond 2,048 candidates each step looks at a random part of
    them (stochastic greedy, as the paper does). Updates are not weighted by how many devices each stands for.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("gradients",)
    unbiased: ClassVar[str] = "No: representative devices are preferred, and who is asked follows from gradients without probabilities."
    positive: ClassVar[bool] = False

    kind: Literal["divfl"]
    candidates: int | None = Field(
        default=200, ge=1, description="Devices, drawn uniformly, that are asked for gradients; at least the cohort is. Null: all available, as in the paper."
    )

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """Uniform candidates, then the greedy choice."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, uniformly, without_replacement
        from tasks.federated.selections._facility import EXACT_UP_TO, greedy, stochastic_greedy

        among = candidates(view)
        if self.candidates is not None:
            among = np.sort(uniformly(among, max(self.candidates, cohort_size), generator))
        if len(among) > cohort_size:
            gradients = view.devices.gradients(among)
            few = len(among) <= EXACT_UP_TO
            among = among[greedy(gradients, cohort_size) if few else stochastic_greedy(gradients, cohort_size, generator)]
        return without_replacement(among, None, "none: the most representative gradients")
