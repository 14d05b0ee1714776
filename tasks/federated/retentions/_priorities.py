"""Uniform samples that only ever lose what they held and gain what is new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.core.seeds import numpy_generator
from tasks.federated.retentions._ranks import first_of_each
from tasks.federated.timeline import Stream


def reservoir(stream: Stream, among: NDArray[np.bool_], capacity: int, seed: int) -> NDArray[np.bool_]:
    """(R,) a uniform sample of each device's marked records: those with the ``capacity`` smallest of priorities that every record has by the seed.

    As more records are marked, a new one enters by being among the smallest, and the largest of those held, which is any of them with equal
    probability, leaves: the law of Vitter's Algorithm R. So what has left never comes back, and nothing needs to be stored but the sample.
    """
    priorities = numpy_generator(seed, "reservoir").random(len(stream.client))
    return first_of_each(stream.client, among, capacity, priorities, np.asarray(stream.order))
