"""Measures: what a measurement returns and how it is kept. Every number carries its conditions."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from tasks.core.component import Component

Status = Literal["ok", "insufficient_evidence", "undefined", "unsupported", "confounded"]
SAMPLES = "samples.json"
Direction = Literal["higher", "lower", "none"]
Layout = Literal["auto", "stacked", "sequential"]


class Row(BaseModel):
    """One number with its conditions.

    ``name`` is the full metric name (``utility/accuracy``). ``low`` and ``high`` bound it, ``interval`` says over what:
    ``items`` (a clustered bootstrap within a trial) or ``runs`` (over seeds). ``direction`` says which way is better.
    ``conditions`` are the facts two numbers must share to stand in one column (data digest, split, protocol).
    ``lowest`` and ``highest`` are the ends of what the metric can be, so that an interval over runs can be cut there.
    A status other than ``ok`` or ``confounded`` has no value and gives its reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    interval: Literal["items", "runs"] | None = None
    status: Status = "ok"
    reason: str | None = None
    direction: Direction = "none"
    conditions: dict[str, str] = {}
    lowest: float | None = None
    highest: float | None = None

    @model_validator(mode="after")
    def _honest(self) -> Row:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.name}: a value must be finite; give status 'undefined' and a reason")
        if self.status in ("ok", "confounded") and self.value is None:
            raise ValueError(f"{self.name}: status '{self.status}' needs a value")
        if self.status not in ("ok", "confounded") and (self.value is not None or not self.reason):
            raise ValueError(f"{self.name}: status '{self.status}' has no value and needs a reason")
        if (self.low is None) != (self.high is None) or (self.low is not None and self.interval is None):
            raise ValueError(f"{self.name}: give low, high and the interval together")
        return self


def share(name: str, part: int, of: int) -> tuple[Row, ...]:
    """The row of a share of a whole, between 0 and 1; none of a whole that is empty."""
    return () if of == 0 else (Row(name=name, value=part / of, n=of, lowest=0, highest=1),)


@dataclass(frozen=True)
class Measures:
    """Rows and, where they come from items, one record per item: ``id`` and numbers, never text of private data.

    Args:
        rows: the numbers.
        items: columns of equal length; ``id`` is one of them.
        courses: by metric its value while a model was trained, as (round, value).
        samples: some texts that a model of public data wrote, for people to read: dicts of strings.
    """

    rows: tuple[Row, ...]
    items: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    courses: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    samples: Sequence[Mapping[str, str]] = ()

    def save(self, folder: Path) -> None:
        """Write ``measures.json`` and, where there are any, ``items.parquet`` and ``samples.json``."""
        rows = [row.model_dump(mode="json") for row in self.rows]
        courses = {"courses": {name: list(course) for name, course in self.courses.items()}} if self.courses else {}
        (folder / "measures.json").write_text(json.dumps({"rows": rows, **courses}, indent=1) + "\n")
        if self.samples:
            (folder / SAMPLES).write_text(json.dumps([dict(sample) for sample in self.samples], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.items:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table(dict(self.items)), folder / "items.parquet")

    @staticmethod
    def load_rows(folder: Path) -> tuple[Row, ...]:
        """The rows of a saved folder; none where it holds no measures."""
        return tuple(Row.model_validate(row) for row in _saved(folder).get("rows", ()))

    @staticmethod
    def load_items(folder: Path) -> dict[str, list[Any]]:
        """The columns over items of a saved folder; none where it has no items."""
        import pyarrow.parquet as pq

        path = folder / "items.parquet"
        return pq.read_table(path).to_pydict() if path.exists() else {}

    @staticmethod
    def load_samples(folder: Path) -> list[dict[str, str]]:
        """The texts of a saved folder; none where it has none."""
        path = folder / SAMPLES
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    @staticmethod
    def load_courses(folder: Path) -> dict[str, tuple[tuple[float, float], ...]]:
        """The courses of a saved folder."""
        return {name: tuple((x, y) for x, y in course) for name, course in _saved(folder).get("courses", {}).items()}


def _saved(folder: Path) -> dict[str, Any]:
    path = folder / "measures.json"
    return json.loads(path.read_text()) if path.exists() else {}


class Need(BaseModel):
    """Something a measurement needs made before it runs. The flow turns each need into steps, one per key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Predictions(Need):
    """What the target model says of one split (``train``, ``validation``, ``test`` or ``nonmembers``). Named ``predictions/<split>``.

    With ``data``, the resolved block of other data as plain values, of that data's split, named ``predictions/<label>/<split>``.
    """

    split: str = "test"
    data: dict[str, Any] | None = None
    label: str = ""


class ShadowModels(Need):
    """``count`` models trained exactly as the target, each with its own seed and its own pool of members.

    Named ``shadow/<i>``, with their data ``shadow/<i>/data`` and what they say of the target's pools, ``shadow/<i>/train`` and ``shadow/<i>/nonmembers``.
    ``stacked`` trains many at once where their training allows it, ``sequential`` one after another; ``auto``, which is settled before anything runs, is
    sequential here.
    """

    count: int
    layout: Layout = "sequential"
    of: int = 0
    """How many all measurements of the trial ask for together, so that a stack is the same for each of them; those beyond ``count`` are not handed over."""

    @property
    def largest(self) -> int:
        """The most that anybody asks for."""
        return max(self.count, self.of)


class InsertedRecords(Need):
    """``runs`` models trained exactly as the target, each on data of its own with ``count`` records made for an audit, in or out by a fair coin each.

    What each says of its records is named ``audited/<i>``, its data ``audited/<i>/data``. ``own_users``: each record is of a user of its own.
    """

    count: int
    runs: int = 1
    own_users: bool = False


class ReferenceModel(Need):
    """One model trained as the target with some dotted paths of the trial changed. Named ``reference/<label>``."""

    label: str
    changes: dict[str, Any] = {}


class FineTuned(Need):
    """The target's body with new answer layers, trained on other data. Named ``fine-tuned`` with its prepared data ``fine-tuned/data``.

    ``data`` and ``training`` are the resolved blocks as plain values. ``frozen``: only the answer layers are trained.
    """

    data: dict[str, Any]
    training: dict[str, Any]
    frozen: bool = False


class PreparedOther(Need):
    """Another dataset, prepared: resolved block as plain values. Named ``data/<label>``."""

    label: str
    data: dict[str, Any]


class WordVectors(Need):
    """Vectors of words from co-occurrence in other data, with the gender direction taken out of neutral words. Named ``vectors/<label>``.

    ``data`` is the resolved block of the texts as plain values.
    """

    label: str
    data: dict[str, Any]
    dimension: int


class TrainedOther(Need):
    """A model trained on other data, whatever the target: resolved blocks as plain values. Named ``trained/<label>``, its data ``trained/<label>/data``."""

    label: str
    data: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]


class MechanismCheck(Need):
    """The training of the target looked at in its first ``steps`` steps, or rounds: its noise, and what follows from how many records, or devices, there
    are. Named ``mechanism``.
    """

    steps: int


class Measurement(Component, ABC):
    """Base of utility metrics, attacks and fairness metrics.

    ``label`` replaces the kind in metric names, for two entries of one kind. ``needs`` is pure and read at planning;
    ``measure`` trains nothing itself: it gets the folder of the target's model artifact, the folders that its needs
    became (by name), the folder of the prepared data, its seed and a report of progress.
    """

    label: str | None = None

    @property
    def name(self) -> str:
        """What tells it from the other entries of its list: the label or the kind, with ``-`` as ``_``."""
        return (self.label or self.kind).replace("-", "_")

    def metric(self, prefix: str, *rest: str) -> str:
        """The full metric name: prefix, then its own name, then the rest."""
        return "/".join((prefix, self.name, *rest))

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """What must be made before ``measure``. ``study`` is the resolved trial as plain values."""
        return ()

    @abstractmethod
    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """The numbers."""
