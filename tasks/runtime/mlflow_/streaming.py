"""Series on their way to a run: each point is sent once, whoever sent the earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tasks.runtime.mlflow_.runs import Recorder, read_series


@dataclass
class Streams:
    """Sends series files to runs, each time what is new: the points past the last step that the run has."""

    recorder: Recorder
    _last_steps: dict[tuple[str, str], int] = field(default_factory=dict)

    def send(self, run: str, path: Path) -> None:
        """Points of a series file that the run does not have yet; nothing where there is no file."""
        fresh = [point for point in read_series(path) if point.step > self._last(run, point.name)]
        self.recorder.log_series(run, fresh)
        for point in fresh:
            self._last_steps[(run, point.name)] = max(point.step, self._last(run, point.name))

    def _last(self, run: str, name: str) -> int:
        if (run, name) not in self._last_steps:
            self._last_steps[(run, name)] = self.recorder.last_step(run, name)
        return self._last_steps[(run, name)]
