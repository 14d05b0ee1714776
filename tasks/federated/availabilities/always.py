"""Every device, always."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Always(Availability):
    """Every device can be asked in every round."""

    always_on: ClassVar[bool] = True

    kind: Literal["always"]

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """All."""
        import numpy as np

        return np.ones(len(activity), dtype=np.bool_)
