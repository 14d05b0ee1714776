"""Power-of-choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PowerOfChoice(Selection):
    """The m devices with the highest loss among d candidates (Cho, Wang and Joshi, AISTATS 2022: pow-d).

    Candidates are drawn one after the other without replacement, each time in proportion to the records of those left. With ``loss: full``
    each candidate reports the mean loss of the current model on all that it holds, with ``loss: sample`` (the paper's cpow-d) on at most
    ``examples`` of it, drawn anew each round: extra work for d devices, which the cost ledger counts. With ``loss: stale`` (its rpow-d) the
    server uses the training loss that a device last reported, and devices it never heard of come first: no extra work. Equal losses are
    ordered at random.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity", "losses", "candidate losses")
    unbiased: ClassVar[str] = "No, by design: devices with a high loss are preferred, and inclusion probabilities are unknown."
    positive: ClassVar[bool] = False

    kind: Literal["power-of-choice"]
    candidates: int = Field(default=60, ge=1, description="d: devices whose losses are compared; at least the cohort is.")
    loss: Literal["full", "sample", "stale"] = Field(
        default="full", description="Of the current model on all or some examples of every candidate, or the training loss that each last reported."
    )
    examples: int = Field(default=64, ge=1, description="With loss: sample, the most examples that a candidate scores.")

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """Candidates in proportion to records, then the highest losses."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, sequentially, without_replacement

        among = candidates(view)
        drawn = sequentially(among, view.activity[among].astype(np.float64), max(self.candidates, cohort_size), generator)
        # By index, so that the answer cannot depend on the order in which devices are asked; ties go by a random order.
        asked = np.sort(drawn)
        losses = self._losses(view, asked)
        order = np.lexsort((generator.random(len(asked)), -losses))
        return without_replacement(asked[order][:cohort_size], None, "none: the highest losses among candidates")

    def _losses(self, view: View, asked: NDArray[np.int64]) -> NDArray[np.float64]:
        import numpy as np

        if self.loss == "stale":
            stale = view.history.mean_loss[asked]
            return np.where(np.isnan(stale), np.inf, stale)
        if not len(asked):
            return np.zeros(0)
        return view.devices.losses(asked) if self.loss == "full" else view.devices.losses(asked, self.examples)
