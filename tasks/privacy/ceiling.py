"""The most that any membership attack can find under a guarantee."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from tasks.privacy.keeping import kept
from tasks.privacy.mechanism import Mechanism, as_event, relation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPSILONS = 60
PLACES = 20_000


def auc_ceiling(mechanism: Mechanism) -> float | None:
    """Upper bound on the AUC of every attack that tells members from non-members; None for a search or samples of fixed size, whose PLD is not known.

    From the mechanism's whole curve of (epsilon, delta), not from one point of it: a false positive rate a leaves a false negative rate of at
    least max(1 - delta - e^epsilon a, e^-epsilon (1 - delta - a)) (Kairouz, Oh and Viswanath, ICML 2015; Dong, Roth and Su 2022). The bound
    is concave in the rates, so it holds for pools of unlike records as for one. Between neighbours by add/remove or zero-out.
    """
    if mechanism.repetition is not None or mechanism.fixed_size:
        return None
    found = kept({"auc_ceiling": asdict(mechanism)}, lambda: {"auc": _worked_out(mechanism)}, lambda found: {"auc": float(found["auc"])})
    return float(found["auc"])


def _worked_out(mechanism: Mechanism) -> float:
    import numpy as np
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(neighboring_relation=relation(mechanism.adjacency)).compose(as_event(mechanism))
    largest = max(1.0, float(accountant.get_epsilon(1e-6)))
    curve = [(epsilon, float(accountant.get_delta(epsilon))) for epsilon in largest * np.linspace(0, 1, EPSILONS) ** 2]
    places = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, PLACES)])
    missed = false_negatives(curve, places)
    return min(1.0, 1.0 - float(np.sum(missed[1:] * np.diff(places))))  # it falls: its value at the right of each piece is the least


def false_negatives(curve: list[tuple[float, float]], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least false negative rate at each false positive rate, from points (epsilon, delta) of the curve."""
    import numpy as np

    bounds = [np.zeros_like(places)]
    for epsilon, delta in curve:
        bounds += [1 - delta - math.exp(min(epsilon, 700.0)) * places, math.exp(-epsilon) * (1 - delta - places)]
    least: NDArray[np.float64] = np.max(bounds, axis=0)
    return least
