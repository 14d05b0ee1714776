"""Gates: conditions on numbers that fail a run where they do not hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Gate(BaseModel):
    """A bound on a metric. A number that could not be had does not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: str = Field(min_length=1, max_length=200, description="Full name of a metric, e.g. privacy/epsilon.")
    at_least: float | None = Field(default=None, description="The smallest number that passes.")
    at_most: float | None = Field(default=None, description="The largest number that passes.")
    not_worse_than: Literal["champion"] | None = Field(default=None, description="Compare with the registered champion.")
    by_more_than: Annotated[float, Field(ge=0)] | None = Field(default=None, description="The loss against the champion that still passes.")
    arms: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(default=None, description="The arms it holds for; all where it is not given.")
    of: Literal["worst", "mean", "lower", "upper"] = Field(
        default="worst", description="Which number of an arm: its worst seed, its mean, or an end of its interval."
    )

    @model_validator(mode="after")
    def _one_bound(self) -> Gate:
        given = [name for name in ("at_least", "at_most", "not_worse_than") if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"got {', '.join(given)}" if given else "got none"
            raise ValueError(f"needs exactly one of at_least, at_most, not_worse_than ({found})")
        if self.by_more_than is not None and self.not_worse_than is None:
            raise ValueError("'by_more_than' belongs to 'not_worse_than'")
        return self
