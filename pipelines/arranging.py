"""A study as it runs now: most as they are written, a retraining audit as tonight's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.outcome import Conclude
    from specs.loading import Loaded


@dataclass(frozen=True)
class Arranged:
    """A study ready to be planned.

    Args:
        loaded: the study.
        conclude: what its kind makes of the comparison at the end.
        said: what people should know before it begins.
    """

    loaded: Loaded
    conclude: Conclude | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """Nothing was to be done, and why."""

    study: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"study": self.study, "skipped": self.sentence}

    @property
    def exit_code(self) -> int:
        """Nothing is wrong."""
        return 0


def arrange(loaded: Loaded, begin: bool, new: bool = False) -> Arranged | Skipped:
    """What runs now. ``begin`` is told by a run: only then is anything written down. ``new``: also where the data was judged before."""
    if not loaded.study.has_champion:
        return Arranged(loaded)
    from pipelines.nights.beginning import tonight

    return tonight(loaded, begin, new)
