"""Stragglers: how long devices take, and whose update comes too late."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.seeds import numpy_generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Stragglers(BaseModel):
    """More devices are asked than needed, the fastest are kept, and no later than the deadline (as in Bonawitz et al., MLSys 2019).

    Dropping the slow favours the fast: who takes part is no longer who was drawn. Times are simulated: examples trained on, times
    ``seconds_per_example``, times a factor of the device, lognormal with median 1 (FedScale, Lai et al., ICML 2022, draws speeds so).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    over_selection: float = Field(default=1.0, ge=1, le=10, description="Devices asked, in multiples of cohort_size; the first cohort_size are kept.")
    deadline_seconds: float | None = Field(default=None, gt=0, description="Updates that take longer are dropped; null: no deadline.")
    seconds_per_example: float = Field(default=0.005, gt=0, le=1e6, description="Seconds that a device of median speed takes per example.")
    speed_sigma: float = Field(default=0.6, ge=0, le=5, description="Standard deviation of the logarithm of devices' factors; 0: all are alike.")

    @property
    def active(self) -> bool:
        """Whether any update can be dropped."""
        return self.over_selection > 1 or self.deadline_seconds is not None


def speeds(devices: int, sigma: float, seed: int) -> NDArray[np.float64]:
    """(N,) by which factor each device is slower than the median, in every round."""
    import numpy as np

    return np.exp(sigma * numpy_generator(seed, "speed").standard_normal(devices))


def seconds(speeds: NDArray[np.float64], examples: NDArray[np.int64], seconds_per_example: float) -> NDArray[np.float64]:
    """(m,) how long each device takes to train on so many examples."""
    return speeds * examples * seconds_per_example


def asked_size(cohort_size: int, stragglers: Stragglers) -> int:
    """How many devices are asked so that ``cohort_size`` are likely to answer."""
    return math.ceil(round(cohort_size * stragglers.over_selection, 6))  # 10 x 1.1 is 11, not 11.000000000000002


def survivors(seconds: NDArray[np.float64], cohort_size: int, stragglers: Stragglers) -> NDArray[np.bool_]:
    """(m,) whose updates are used: those within the deadline and, under over-selection, the fastest ``cohort_size``; ties by place.

    Without over-selection a cohort is never cut to size: designs of random size may draw more than they expect.
    """
    import numpy as np

    kept = np.ones(len(seconds), dtype=np.bool_)
    if stragglers.over_selection > 1:
        kept[np.argsort(seconds, kind="stable")[cohort_size:]] = False
    if stragglers.deadline_seconds is not None:
        kept &= seconds <= stragglers.deadline_seconds
    return kept
