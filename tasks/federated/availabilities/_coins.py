"""One number per device, in prefix form: what device i gets does not depend on how many devices there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.seeds import numpy_generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def coins(round: int, devices: int, seed: int) -> NDArray[np.float64]:
    """(N,) uniform numbers of a round. Every model of availability throws these, so that two models of a seed differ as little as they can."""
    return numpy_generator(seed, "availability", round).random(devices)


def traits(name: str, devices: int, seed: int) -> NDArray[np.float64]:
    """(N,) uniform numbers that devices keep over rounds: what a time zone or a trace is drawn with."""
    return numpy_generator(seed, name).random(devices)
