"""How good the labels are that devices make: for evaluation alone, since it looks at the labels that training never sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.core.bootstrap import clustered_interval
from tasks.core.measures import Row
from tasks.core.seeds import numpy_generator
from tasks.federated.labelling import OwnLabels, own_labels
from tasks.federated.local import Work
from tasks.models.batches import Encoded

FEWEST = 30


def self_label_rows(work: Work, given: Encoded, device: NDArray[np.int64], seed: int) -> tuple[Row, ...]:
    """The share of unconfirmed examples that devices would keep with the model as it is now, and how many of those labels are those of the data.

    A label is right where the intent and every tag are. Intervals are over devices.

    Args:
        work: of a training that has ended; without self-training there is no row.
        given: the examples with the labels of the data.
        device: (R,) device of each training record, -1 where none holds it.
        seed: of the trial.
    """
    labelling = work.labelling
    if labelling is None or labelling.threshold is None:
        return ()
    owner = device[given.records.numpy()]
    rows = np.flatnonzero(~labelling.confirmed & (owner >= 0))
    made = own_labels(work.network, work.encoded, rows, work.device) if len(rows) else None
    sure = np.zeros(0, dtype=np.bool_) if made is None else made.confidence >= labelling.threshold
    right = np.zeros(0, dtype=np.bool_) if made is None else _right(made, given)
    conditions = {"threshold": f"{labelling.threshold:g}", "protocol": "labels of the final model; evaluation only: it reads labels that training does not"}
    return (
        _share("federated/self_labelled", sure, owner[rows], "none", conditions, seed, "unconfirmed examples on devices"),
        _share("federated/self_label_accuracy", right[sure], owner[rows][sure], "higher", conditions, seed, "labels were kept"),
    )


def _right(made: OwnLabels, given: Encoded) -> NDArray[np.bool_]:
    """(K,) whether everything said of an example is what the data says."""
    rows = torch.from_numpy(made.rows)
    right = torch.ones(len(rows), dtype=torch.bool)
    if made.labels is not None and given.labels is not None:
        right &= made.labels == given.labels[rows]
    if made.slots is not None and given.slots is not None:
        right &= (made.slots == given.slots[rows]).all(dim=1)
    return right.numpy()


def _share(name: str, found: NDArray[np.bool_], owner: NDArray[np.int64], direction: str, conditions: dict[str, str], seed: int, of: str) -> Row:
    shown: dict[str, Any] = {"name": name, "n": len(found), "direction": direction, "conditions": conditions, "lowest": 0, "highest": 1}
    if len(found) < FEWEST:
        return Row(value=None, status="insufficient_evidence", reason=f"{len(found)} {of}, {FEWEST} are needed", **shown)
    sums = np.column_stack([found, np.ones(len(found))]).astype(np.float64)
    bounds = clustered_interval(sums, lambda total: total[:, 0] / total[:, 1], owner, numpy_generator(seed, "bootstrap", entity=name))
    value = float(found.mean())
    if bounds is None:
        return Row(value=value, reason="no interval: every resample is alike", **shown)
    return Row(value=value, low=min(bounds[0], value), high=max(bounds[1], value), interval="items", **shown)
