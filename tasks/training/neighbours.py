"""The neighbouring-datasets test: what of a private training may not follow from how many records there are, and how far one unit moves its sums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.data.prepared import PreparedData
from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.training.watched import Watched, apart, stretched

STEPS = 256
"""Of so many steps the draws of the other units are compared, though the training may have fewer: a rate that is a little off changes few draws."""
ALONE = 256
"""The most contributions that are clipped each by itself."""
TRIED = 8
"""Units that are taken out of a batch: half of them with the longest gradients, the others by lot."""
STRETCH = 10.0
"""So many times the clip norm the median gradient is, where losses are stretched."""


class Part(PreparedData):
    """Prepared data with some of its training records: (R,) which."""

    def __init__(self, folder: Path, kept: NDArray[np.bool_]) -> None:
        super().__init__(folder)
        self._splits["train"] = super().split("train")[kept].reset_index(drop=True)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Those of the data, but for the counts."""
        facts = dict(super().facts)
        records = self.split("train")
        facts["counts"] = {**facts["counts"], "train": len(records)}
        if facts.get("users", {}).get("train") is not None:
            facts["users"] = {**facts["users"], "train": int(records["user"].nunique())}
        return facts


class Fewer(Part):
    """Prepared data without its last training record, or without the user that is named last: its neighbour."""

    def __init__(self, folder: Path, unit: str) -> None:
        import pandas as pd

        records = PreparedData(folder).split("train")
        numbers = pd.factorize(records["user"])[0] if unit == "user" else np.arange(len(records))
        super().__init__(folder, numbers < numbers.max())


def public_numbers(found: Watched, last: int) -> dict[str, Any]:
    """Everything of a training that is the same, to the bit, between data sets with and without the unit of number ``last``: by name, as numbers and
    digests. Leaves no trace.

    Of a batch of nobody a step releases noise over the divisor alone, so whatever of the two follows from the records is seen, wherever it is worked out.
    """
    schedule, gradient = found.account.schedule, found.gradient
    steps = max(1, round(found.config.training.epochs * found.found.batches.per_epoch))
    kept = gradient.kept
    nobody = found.release(torch.zeros(0, dtype=torch.long), 0)
    gradient.kept = kept
    return {
        "the account": found.account.record(),
        "the rate": [schedule.rate, found.found.batches.per_epoch],
        "the number of steps": steps,
        "the divisor": gradient.divisor,
        "the deviation of the noise": [gradient.deviation(step) for step in range(schedule.steps)],
        "the first weights": digest(dict(found.trained.started.network.named_parameters())),
        "what a step without records releases": digest(nobody),
        "the draws of the others": _others_draws(found, last),
    }


def _others_draws(found: Watched, last: int) -> list[list[int]] | None:
    """The units of each step without the last unit; None where neighbours are of equal size, or a limit lets one push out another."""
    mechanism = found.account.mechanism
    if mechanism.adjacency != "add-remove" or mechanism.truncated or mechanism.fixed_size:
        return None
    drawn = (torch.unique(found.units[found.found.batches[step]]) for step in range(STEPS))
    return [units[units < last].tolist() for units in drawn]


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Of tensors by name, to the bit."""
    found = hashlib.blake2b()
    for name, value in sorted(tensors.items()):
        found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class Moved:
    """How far one unit moves what a step adds up, each over what the account says that it may.

    Attributes:
        longest: of single contributions after clipping, over the clip norm.
        sums: of the clipped sum.
        counts: of an adaptive rule's count; None where there is none.
        alone, units: how many contributions and how many units were tried.
        rounding: by how much of what it may a sum of so many contributions may move by rounding.
    """

    longest: float
    sums: float
    counts: float | None
    alone: int
    units: int
    rounding: float


ROUNDED = 2.0**-22
"""By so much of the clip norm each contribution to a sum may be rounded otherwise when another one leaves: four times the rounding of fp32."""


def moved(found: Watched, indices: Tensor, step: int, generator: np.random.Generator) -> Moved:
    """By units of a batch that is not empty, with its losses as they are and stretched, so that clipping has something to do.

    A unit is taken out, or, between data sets of equal size whose records differ (replace-one), another one stands in its place. All others' draws stay.
    """
    units = found.units[indices]
    taken = torch.unique(units)
    chosen = taken[torch.from_numpy(generator.permutation(len(taken))[:ALONE]).sort().values]
    groups = [indices[units == unit] for unit in chosen]
    norms = [found.alone(group, step)[0] for group in groups]
    tried = [int(chosen[place]) for place in candidates(norms, generator)]
    clipped_together = [group for group, _ in found.contributions(indices, step)]
    lone = groups if len(clipped_together) == len(taken) else [*groups, *clipped_together[:ALONE]]
    median = float(np.median(norms))
    factors = [1.0, max(1.0, STRETCH * found.clip_norm / median)] if median > 0 else [1.0]
    parts = [_moved(found, indices, step, lone, tried, factor) for factor in dict.fromkeys(factors)]
    counts = [count for _, _, count in parts if count is not None]
    return Moved(
        longest=max(longest for longest, _, _ in parts),
        sums=max(sums for _, sums, _ in parts),
        counts=max(counts) if counts else None,
        alone=len(lone),
        units=len(tried),
        rounding=ROUNDED * len(taken),
    )


def _moved(found: Watched, indices: Tensor, step: int, lone: Sequence[Tensor], tried: Sequence[int], factor: float) -> tuple[float, float, float | None]:
    """The longest contribution, and the largest moves of the sum and of the count."""
    replaced = found.account.mechanism.adjacency == "replace-one"
    may = found.privacy.clipping.engine.moves * (2 if replaced else 1)
    units = found.units[indices]
    with stretched(found.gradient.clipper, factor):
        longest = max(found.alone(group, step)[1] for group in lone) / found.clip_norm
        whole, rule = found.summed(indices, step)
        sums, counts = [0.0], [0.0]
        for unit in tried:
            rest = indices[units != unit]
            other, other_rule = found.summed(torch.cat([rest, _stand_in(found, units)]) if replaced else rest, step)
            sums.append(apart(whole, other) / (may * found.clip_norm))
            if isinstance(rule, Adapting) and isinstance(other_rule, Adapting):
                counts.append(abs(rule.balance - other_rule.balance) / (0.5 * may))
    return longest, max(sums), max(counts) if isinstance(rule, Adapting) else None


def candidates(norms: Sequence[float], generator: np.random.Generator) -> list[int]:
    """Places of the longest of some norms, and of some others: TRIED at most."""
    order = np.argsort(norms)[::-1]
    half = TRIED // 2
    return [*order[:half].tolist(), *generator.permutation(order[half:])[:half].tolist()]


def _stand_in(found: Watched, taken: Tensor) -> Tensor:
    """The examples of a unit that is in no batch with these, as many as may take part; none where all units are."""
    away = (~torch.isin(found.units, taken)).nonzero().squeeze(1)
    if not len(away):
        return away
    most = found.privacy.unit.examples(found.trained.encoded.records, found.trained.encoded.users).most
    return away[found.units[away] == found.units[away[0]]][:most]
