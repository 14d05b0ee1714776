"""What a device does about records without a label: a function of the model as it was sent, of its own records, and of the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tasks.federated.labels import Labels
from tasks.models.batches import Encoded, network_inputs
from tasks.models.masking import IGNORED

if TYPE_CHECKING:
    from tasks.federated.jobs import Job
    from tasks.federated.local import Work

BATCH = 256


@dataclass(frozen=True)
class Labelling:
    """Which examples have a label, and what is to become of the others.

    Args:
        confirmed: (E,) whether the user confirmed the label of an encoded example.
        threshold: the least confidence of a label that a device makes; None: devices make none.
        first_round: when they begin.
    """

    confirmed: NDArray[np.bool_]
    threshold: float | None
    first_round: int = 0

    @staticmethod
    def of(labels: Labels, ids: Sequence[str], encoded: Encoded, seed: int) -> Labelling | None:
        """For training records of some ids; None where the data's labels are used as they are."""
        if labels.complete:
            return None
        coins = np.array([labels.is_confirmed(record, seed) for record in ids], dtype=np.bool_)
        return Labelling(coins[encoded.records.numpy()], labels.least_confidence, labels.first_round)

    def rows(self, rows: NDArray[np.int64], round: int) -> NDArray[np.int64]:
        """Those of a device's examples that it is to look at in a round."""
        return rows[self.confirmed[rows]] if self.threshold is None or round < self.first_round else rows

    def open(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some examples that have no label."""
        return rows[~self.confirmed[rows]]


def blanked(encoded: Encoded, labelling: Labelling) -> Encoded:
    """A copy in which unconfirmed examples have no label that could be read: what devices hold."""
    blank = torch.from_numpy(~labelling.confirmed)
    labels = None if encoded.labels is None else encoded.labels.masked_fill(blank, IGNORED)
    slots = None if encoded.slots is None else encoded.slots.masked_fill(blank.unsqueeze(1), IGNORED)
    return replace(encoded, labels=labels, slots=slots)


def self_labelled(work: Work, job: Job) -> Job:
    """The job as the device begins it: of the examples without a label those that it labelled itself are left, and their labels are written.

    They are written into the examples of ``work``, of which this device's are read by no other device, and anew each time it is asked.
    """
    labelling = work.labelling
    if labelling is None or labelling.threshold is None:
        return job
    open_rows = labelling.open(job.rows)
    if not len(open_rows):
        return job
    made = own_labels(work.network, work.encoded, open_rows, work.device)
    sure = made.confidence >= labelling.threshold
    write(work.encoded, made.kept(sure))
    return replace(job, rows=job.rows[labelling.confirmed[job.rows] | np.isin(job.rows, open_rows[sure])])


@dataclass(frozen=True)
class OwnLabels:
    """What a model says of K examples.

    Args:
        rows: (K,) which examples.
        confidence: (K,) probability of the least sure of its answers on an example.
        labels: (K,) most likely intents, where the task has one.
        slots: (K, L) most likely tags, -100 where no word begins, where the task has tags.
    """

    rows: NDArray[np.int64]
    confidence: NDArray[np.float64]
    labels: Tensor | None
    slots: Tensor | None

    def kept(self, sure: NDArray[np.bool_]) -> OwnLabels:
        """Of some of the examples."""
        places = torch.from_numpy(sure)
        labels = None if self.labels is None else self.labels[places]
        return OwnLabels(self.rows[sure], self.confidence[sure], labels, None if self.slots is None else self.slots[places])


@torch.no_grad()
def own_labels(network: nn.Module, encoded: Encoded, rows: NDArray[np.int64], device: str) -> OwnLabels:
    """The most likely labels of some examples, whose own are not read. The network is left in evaluation mode."""
    network.eval()
    parts = [_asked(network, encoded, torch.from_numpy(rows[start : start + BATCH]), device) for start in range(0, len(rows), BATCH)]
    confidence, labels, slots = zip(*parts, strict=True)
    return OwnLabels(rows, torch.cat(confidence).numpy(), _joined(labels), _joined(slots))


def write(encoded: Encoded, made: OwnLabels) -> None:
    """Put labels into a table of examples."""
    rows = torch.from_numpy(made.rows)
    if encoded.labels is not None and made.labels is not None:
        encoded.labels[rows] = made.labels
    if encoded.slots is not None and made.slots is not None:
        encoded.slots[rows] = made.slots


def _asked(network: nn.Module, encoded: Encoded, rows: Tensor, device: str) -> tuple[Tensor, Tensor | None, Tensor | None]:
    logits = network(**network_inputs(encoded.batch(rows, device)))
    confidence = torch.ones(len(rows), dtype=torch.float64)
    labels = slots = None
    if "intent" in logits:
        probability, labels = (found.cpu() for found in logits["intent"].double().softmax(dim=-1).max(dim=-1))
        confidence = torch.minimum(confidence, probability)
    if "slots" in logits and encoded.words is not None:
        begins = encoded.words[rows] >= 0
        probability, tags = (_wide(found.cpu(), begins.shape[1]) for found in logits["slots"].double().softmax(dim=-1).max(dim=-1))
        confidence = torch.minimum(confidence, probability.masked_fill(~begins, 1.0).amin(dim=1))
        slots = tags.masked_fill(~begins, IGNORED)
    return confidence, labels, slots


def _wide(table: Tensor, width: int) -> Tensor:
    return nn.functional.pad(table, (0, width - table.shape[1]))


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None
