"""Data that arrives window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.federated.retention import RETENTIONS, Retention
from tasks.federated.timeline import Stream, Timeline
from tasks.federated.timelines._windowed import Windowed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _keep_all() -> Retention:
    found = RETENTIONS.parse({"kind": "keep-all"})
    assert isinstance(found, Retention)
    return found


class Continual(Windowed):
    """Data arrives in windows, each with its own rounds and its own test records; what of it a device still holds, ``retention`` decides.

    With ``reference: all-at-once`` a second training, which has all data from the first round, is run and compared with at equal rounds.
    """

    kind: Literal["continual"]
    retention: Annotated[Retention, OneOf(RETENTIONS)] = Field(default_factory=_keep_all, description="What devices keep: keep-all where none is given.")
    reference: Literal["all-at-once"] | None = Field(default=None, description="all-at-once: also train with all data from the first round.")

    @model_validator(mode="after")
    def _within(self) -> Continual:
        erased = getattr(self.retention, "window", None)
        if erased is not None and erased >= self.window_count:
            raise ValueError(f"retention.window {erased} never comes: windows are 0 to {self.window_count - 1}")
        return self

    def cut(self) -> Timeline:
        """The same windows, whatever is kept."""
        return self.at_once()

    def at_once(self) -> Timeline:
        """The reference."""
        from tasks.federated.timelines.all_at_once import AllAtOnce

        return AllAtOnce(kind="all-at-once", windows=self.window_count, by=self.by)

    @property
    def erases(self) -> bool:
        """Where the retention rule lets them."""
        return self.retention.erases

    def erased(self, devices: int, window: int, seed: int) -> NDArray[np.bool_]:
        """Whom the retention rule let go."""
        return self.retention.erased(devices, window, seed)

    def held(self, stream: Stream, window: int, seed: int) -> NDArray[np.bool_]:
        """What the retention rule keeps."""
        return self.retention.kept(stream, window, seed)
