"""Fairness metrics: one interface, whatever is compared: what it needs of a model, what it claims to measure, and how faithfully."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from tasks.core.component import Family, components_in
from tasks.core.fingerprint import digest, keyed_values
from tasks.core.measures import Direction, Measurement, Row, Status
from tasks.models.ability import Ability

Side = Literal["intrinsic", "extrinsic"]
Fidelity = Literal["published", "adaptation", "original"]


class FairnessMetric(Measurement, ABC):
    """Base of every fairness metric. Its metrics are recorded under ``fairness/``.

    Class facts: ``side`` (of the representation, or of a task's answers), ``notion`` (stereotype, association, toxicity, equality of rates ...),
    ``requires`` (a model must have one of these abilities; none: any), ``headline`` (the last segment of the row that stands for the metric in a
    correlation; oriented, that is with direction ``lower`` or ``higher``; empty where it joins none), ``ideal`` (the value of an unbiased model).
    """

    side: ClassVar[Side] = "extrinsic"
    notion: ClassVar[str] = ""
    requires: ClassVar[tuple[Ability, ...]] = ()
    headline: ClassVar[str] = "difference"
    ideal: ClassVar[float | None] = 0.0

    where_unable: Literal["refuse", "leave-out"] = Field(
        default="refuse", description="For a model that cannot answer: refuse the study, or leave the number out with the reason."
    )
    aligned: dict[str, JsonValue] | None = Field(
        default=None, description="What changes of this block where a correlation is over aligned metrics: the same notion, groups and kind of text."
    )

    @property
    def reads_own_data(self) -> bool:
        """Whether it reads the data that the model was trained on, beside what ``needs`` names."""
        return False

    @property
    def fidelity(self) -> Fidelity:
        """Whether this is what was published, an adaptation of it (``differs`` says how), or our own."""
        return "original"

    @property
    def differs(self) -> str:
        """For an adaptation: in what it departs from the published protocol."""
        return ""

    @property
    def groups_compared(self) -> str:
        """Which groups, in a few words: ``gender``, ``religion``."""
        return ""

    @property
    def conditions(self) -> dict[str, str]:
        """What two numbers of this metric must share to be compared: everything that decides them besides the model."""
        protocol = {name: value for name, value in keyed_values(self).items() if name not in ("label", "aligned", "where_unable")}
        contents = [content for component in components_in(self) if (content := component.content_digest()) is not None]
        said = {"notion": self.notion, "groups": self.groups_compared, "fidelity": self.fidelity, "differs": self.differs}
        if self.ideal is not None:
            said["ideal"] = f"{self.ideal:g}"
        return {name: value for name, value in said.items() if value} | {"protocol": digest([protocol, contents])[:12]}

    def row(
        self,
        name: str,
        value: float | None,
        interval: tuple[float, float] | None = None,
        n: int | None = None,
        direction: Direction = "lower",
        conditions: dict[str, str] | None = None,
        **rest: Any,
    ) -> Row:
        """A number with this metric's conditions. ``name`` are the segments after the metric's own; ``rest`` goes to ``Row``."""
        ends = {} if interval is None else {"low": interval[0], "high": interval[1], "interval": "items"}
        own = self.conditions
        if "by_group/" in name or name.endswith("worst_group"):
            own.pop("ideal", None)  # that of a disparity, not of a group's own score
        said = {**own, **(conditions or {})}
        return Row.model_validate({"name": self.metric("fairness", name), "value": value, "n": n, "direction": direction, "conditions": said, **ends, **rest})

    def without(
        self, status: Status, reason: str, n: int | None = None, names: tuple[str, ...] = (), conditions: dict[str, str] | None = None
    ) -> tuple[Row, ...]:
        """Rows without a value, for what cannot be told: ``insufficient_evidence``, ``undefined`` or ``unsupported``, and why. Never 0."""
        return tuple(self.row(name, None, n=n, status=status, reason=reason, conditions=conditions) for name in names or (self.headline,))


def reasons(*parts: str | None) -> str | None:
    """What is to be said of a number; None where nothing is."""
    return "; ".join(part for part in parts if part) or None


FAIRNESS = Family("fairness", "tasks.fairness.metrics", FairnessMetric)
