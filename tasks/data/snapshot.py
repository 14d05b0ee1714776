"""Snapshots: which data a retraining audit trains on tonight."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from tasks.core.component import Component, Family
from tasks.core.fingerprint import digest, keyed_values
from tasks.data.dataset import DATASETS, DataError, Dataset

Known = Callable[[str], bool]
"""Whether the data with this identity was judged on an earlier night."""


@dataclass(frozen=True)
class Found:
    """The data of a night.

    Args:
        data: the data block.
        words: what people are told of it.
    """

    data: Dataset
    words: str

    @property
    def identity(self) -> str:
        """Digest of all that decides its records: equal for equal data, whatever its files are called."""
        return digest([keyed_values(self.data), self.data.content_digest()])


class Snapshot(Component, ABC):
    """Base of the ways to find the data of a night. Its data block is that of the study, with some fields replaced."""

    @abstractmethod
    def tonight(self, data: Dataset, context: Mapping[str, Any], cache: Path, known: Known) -> Found:
        """The newest data. Raises DataError where there is none, or where this way does not fit the data.

        Args:
            data: of the study.
            context: that in which the spec was validated: ``folder``, where relative paths begin, and ``roots``, what it may read.
            cache: the catalogue's folder.
            known: tells what was judged before.
        """


def replaced(data: Dataset, changes: Mapping[str, JsonValue], context: Mapping[str, Any]) -> Dataset:
    """A data block with some fields changed by dotted path. Raises DataError with the field that cannot be so."""
    values: dict[str, Any] = data.model_dump(mode="json")
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = values
        for part in parents:
            place[part] = dict(place.get(part) or {})
            place = place[part]
        place[last] = value
    try:
        found = DATASETS.members()[data.kind].model_validate_json(json.dumps(values), strict=True, context=dict(context))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise DataError(f"snapshot: data.{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
    assert isinstance(found, Dataset)
    return found


SNAPSHOTS = Family("snapshot", "tasks.data.snapshots", Snapshot)
