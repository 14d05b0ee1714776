"""The first few records of each device, without a loop over devices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def first_of_each(client: NDArray[np.int64], among: NDArray[np.bool_], count: int, *keys: NDArray[np.generic]) -> NDArray[np.bool_]:
    """(R,) the ``count`` records of each device, among those marked, that come first by the keys, the first key most important."""
    places = np.flatnonzero(among)
    owner = client[places]
    order = np.lexsort((*(key[places] for key in reversed(keys)), owner))
    ascending = owner[order]
    begins = np.searchsorted(ascending, ascending, side="left")
    found = np.zeros(len(client), dtype=np.bool_)
    found[places[order[np.arange(len(order)) - begins < count]]] = True
    return found
