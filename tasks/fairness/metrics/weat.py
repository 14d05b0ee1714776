"""WEAT: the association test on a model's input vectors of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.fairness.metrics.seat import Seat
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.probing import Probe


class Weat(Seat):
    """WEAT (Caliskan et al., Science 2017) on static vectors: of a word the mean of its tokens' input vectors. Rows as of SEAT."""

    requires: ClassVar[tuple[Ability, ...]] = ()

    kind: Literal["weat"]  # type: ignore[assignment]
    tests: tuple[str, ...] = Field(default=("weat6", "weat7", "weat8"), description="Names of published tests: weat6, weat8b, ...")

    @property
    def differs(self) -> str:
        """In the words."""
        return "" if self.words is None else "words of the study"

    def vectors(self, probe: Probe, stimuli: tuple[str, ...]) -> NDArray[np.float64]:
        """(N, E) of words."""
        import numpy as np

        return np.asarray(probe.word_vectors(list(stimuli)))
