"""The last days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tasks.data.dataset import Dataset
from tasks.data.snapshot import Found, Known, Snapshot, replaced

DAYS = {"d": 1, "w": 7}


class Window(Snapshot):
    """The records of the last days, counted back from the newest record: the day is that of the data, so that a late run judges the same records."""

    kind: Literal["window"]
    by: Literal["time"] = Field(description="The column of the records that is counted in.")
    last: str = Field(pattern="^[1-9][0-9]{0,4}[dw]$", description="How long: 30d for days, 8w for weeks.")

    @property
    def days(self) -> int:
        """Its length."""
        return int(self.last[:-1]) * DAYS[self.last[-1]]

    def tonight(self, data: Dataset, context: Mapping[str, Any], cache: Path, known: Known) -> Found:
        """The study's data from the first day of the window on."""
        from tasks.data.periods import newest_day

        newest = newest_day(data, cache)
        first = newest - timedelta(days=self.days - 1)
        return Found(replaced(data, {"period": {"since": first.isoformat(), "until": newest.isoformat()}}, context), f"{first} to {newest}")
