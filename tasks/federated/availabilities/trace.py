"""Availability as it was recorded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from tasks.core.component import unkeyed
from tasks.core.roots import named_file
from tasks.federated.availabilities._memory import Memory
from tasks.federated.availability import Availability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.federated.availabilities._traces import Traces


class Trace(Availability):
    """Recorded times at which real devices could be asked, in FedScale's form (Lai et al., ICML 2022), as JSON:
    ``{"device": {"active": [10, 500], "inactive": [90, 800], "finish_time": 1000}}``.

    A device is on from each ``active`` second to its ``inactive`` one, both included; after ``finish_time`` its trace begins again. Each
    device of the study follows one of the traces, drawn evenly by the seed; several may follow the same. Relative paths are looked for beside
    the study's file, then in the current folder.
    """

    kind: Literal["trace"]
    path: Path = unkeyed(description="JSON file of traces.")
    round_seconds: float = Field(default=600.0, gt=0, description="Seconds from the beginning of a round to that of the next.")

    _memory: Memory[Traces] = PrivateAttr(default_factory=Memory)

    @field_validator("path", mode="after")
    @classmethod
    def _readable(cls, value: Path, info: ValidationInfo) -> Path:
        from tasks.federated.availabilities._trace_files import read

        if (info.context or {}).get("saved"):  # a model that was trained under the traces needs them no more
            return value
        found = named_file(value, info)
        read(found)
        return found

    def content_digest(self) -> str:
        """Digest of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]

    def available(self, round: int, activity: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        """Who is on at the beginning of the round."""
        from tasks.federated.availabilities._traces import Traces

        traces = self._memory.once(self.path, lambda: Traces.of(self.path))
        return traces.on(round * self.round_seconds)[traces.dealt(len(activity), seed)]
