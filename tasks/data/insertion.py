"""Records that are written into the training data on purpose, so that what a model keeps of them can be told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.core.component import Component

if TYPE_CHECKING:
    import pandas as pd

    from tasks.data.prepared import PreparedData

SPLIT = "canaries"
"""The split that lists what was inserted, each thing once, whether it is in the training data or not."""
MARK = "inserted-"
"""How the ids of inserted records begin."""


@dataclass(frozen=True)
class Inserted:
    """What is added to prepared data.

    Args:
        records: by split (``train``, ``validation``) the records that are added; columns ``text``, ``label``, ``tokens``, ``slots`` as the task asks.
        listed: the split ``canaries``.
        labels, slots: answers that must be declared beside those of the data.
        facts: public facts, for ``data.json``.
    """

    records: Mapping[str, pd.DataFrame]
    listed: pd.DataFrame
    labels: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class Insertion(Component, ABC):
    """Base of what can be inserted."""

    @abstractmethod
    def insert(self, prepared: PreparedData, seed: int) -> Inserted:
        """What is added; every secret and every coin follows from the seed. Raises DataError for a task that it does not serve."""


def is_inserted(records: pd.DataFrame) -> pd.Series:
    """(N,) bool: which records were inserted, by their ids."""
    return records["id"].astype(str).str.startswith(MARK)
