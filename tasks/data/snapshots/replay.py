"""The past, night by night."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from tasks.data.dataset import Dataset
from tasks.data.snapshot import Found, Known, Snapshot, replaced


class Replay(Snapshot):
    """Each night takes the next of some changes of the data block; after the last there is no new data. For rehearsals, and for data that grew in the past."""

    kind: Literal["replay"]
    nights: Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1)] = Field(
        description="Per night, changes of the data block by dotted path: [{period.until: 2007-12-31}, {period.until: 2008-12-31}]."
    )

    def tonight(self, data: Dataset, context: Mapping[str, Any], cache: Path, known: Known) -> Found:
        """The first night that was not judged; the last one where all were."""
        for number, changes in enumerate(self.nights, start=1):
            said = ", ".join(f"{path} {value}" for path, value in changes.items())
            found = Found(replaced(data, changes, context), f"{number} of {len(self.nights)} ({said})")
            if not known(found.identity):
                break
        return found
