"""Recording: one parent run per submission, one child run per trial, found again by tags after a kill."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.measures import Row
from tasks.runtime.mlflow_.client import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROLE, STUDY_KEY, ARM, SEED, PRODUCED_BY = "assay.role", "study_key", "arm", "seed", "produced_by"
PARENT, DESCRIPTION = "mlflow.parentRunId", "mlflow.note.content"
BATCH = 900
PARAM_LENGTH = 500


@dataclass(frozen=True)
class Point:
    """One point of a series."""

    name: str
    value: float
    step: int
    time: float


@dataclass(frozen=True)
class Recorder:
    """Writes the runs of one study. ``open_study`` and ``open_trial`` find what an earlier submission began."""

    client: MlflowClient
    experiment: str

    @staticmethod
    def of(client: MlflowClient, study: str) -> Recorder:
        """The recorder of a study's experiment."""
        return Recorder(client, experiment_id(client, study))

    def find_study(self, study_key: str) -> Run | None:
        """The newest parent run of a study key."""
        return self._newest(f"tags.`{ROLE}` = 'study' and tags.{STUDY_KEY} = '{study_key}'")

    def open_study(self, study_key: str, name: str, description: str, tags: Mapping[str, str], new: bool) -> str:
        """The parent run: the newest of this study key, reopened, or another one. Returns its run id."""
        found = None if new else self.find_study(study_key)
        if found is not None:
            return self._reopen(found)
        return self._create(name, description, {ROLE: "study", STUDY_KEY: study_key, **tags})

    def open_trial(self, parent: str, name: str, description: str, arm: str, seed: int, tags: Mapping[str, str]) -> str:
        """The child run of a trial under a parent, reopened or made. Returns its run id."""
        found = self.find_trial(parent, arm, seed)
        if found is not None:
            return self._reopen(found)
        return self._create(name, description, {ROLE: "trial", PARENT: parent, ARM: arm, SEED: str(seed), **tags})

    def find_trial(self, parent: str, arm: str, seed: int) -> Run | None:
        """The child run of a trial under a parent."""
        safe = arm.replace("'", "\\'")
        return self._newest(f"tags.`{PARENT}` = '{parent}' and tags.{ARM} = '{safe}' and tags.{SEED} = '{seed}'")

    def log_params(self, run: str, values: Mapping[str, Any]) -> None:
        """The resolved config of a run by dotted path; long values are shortened, a value that is there already stays."""
        from mlflow.entities import Param

        known = self.client.get_run(run).data.params
        fresh = [Param(name, str(value)[:PARAM_LENGTH]) for name, value in flatten(values).items() if name not in known]
        for start in range(0, len(fresh), 100):
            self.client.log_batch(run, params=fresh[start : start + 100], synchronous=True)

    def log_series(self, run: str, points: Sequence[Point]) -> None:
        """Points of series, in batches. Points that are not finite are left out: the store turns them into 1.8e308."""
        from mlflow.entities import Metric

        metrics = [Metric(point.name, point.value, int(point.time * 1000), point.step) for point in points if math.isfinite(point.value)]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(run, metrics=metrics[start : start + BATCH], synchronous=True)

    def last_step(self, run: str, name: str) -> int:
        """The last step that a series of a run has, or -1."""
        return max((metric.step for metric in self.client.get_metric_history(run, name)), default=-1)

    def log_rows(self, run: str, rows: Iterable[Row]) -> None:
        """Measured numbers with ``_low`` and ``_high``; a number that could not be had leaves a tag with the reason."""
        now = time.time()
        points = []
        for row in rows:
            if row.value is None:
                self.client.set_tag(run, f"not_measured.{row.name}", f"{row.status}: {row.reason}")
                continue
            bounds = {"": row.value, "_low": row.low, "_high": row.high}
            points += [Point(row.name + suffix, value, 0, now) for suffix, value in bounds.items() if value is not None]
        self.log_series(run, points)

    def log_folder(self, run: str, folder: Path, place: str | None = None) -> None:
        """Every file of a folder as artifacts of a run."""
        self.client.log_artifacts(run, str(folder), place)

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Tags of a run, replaced where they exist."""
        for name, value in tags.items():
            self.client.set_tag(run, name, value)

    def describe(self, run: str, description: str) -> None:
        """Replace what is said of a run, in Markdown."""
        self.client.set_tag(run, DESCRIPTION, description)

    def drop_tag(self, run: str, name: str) -> None:
        """Remove a tag, where the run has it."""
        if name in self.client.get_run(run).data.tags:
            self.client.delete_tag(run, name)

    def finish(self, run: str, status: str) -> None:
        """End a run as FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run, status)

    def _newest(self, condition: str) -> Run | None:
        runs = self.client.search_runs([self.experiment], condition, order_by=["attributes.start_time DESC"], max_results=1)
        return runs[0] if runs else None

    def _reopen(self, run: Run) -> str:
        self.client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def _create(self, name: str, description: str, tags: Mapping[str, str]) -> str:
        named = {**tags, DESCRIPTION: description} if description else dict(tags)
        return str(self.client.create_run(self.experiment, tags=named, run_name=name).info.run_id)


def source_tags(name: str, commit: str | None) -> dict[str, str]:
    """The tags from which MLflow's page says what made a run."""
    from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE

    return {MLFLOW_SOURCE_NAME: name, MLFLOW_SOURCE_TYPE: "LOCAL", **({MLFLOW_GIT_COMMIT: commit} if commit else {})}


def every_run(client: MlflowClient, experiments: Sequence[str], condition: str) -> list[Run]:
    """All runs that fit a condition, however many, the newest first."""
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs(list(experiments), condition, order_by=["attributes.start_time DESC"], page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def read_series(path: Path) -> list[Point]:
    """The whole lines of a series file; none where there is no file.

    A training that goes on from its checkpoint first drops the points past it, so the file may have become shorter.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [Point(**json.loads(line)) for line in lines if line.endswith(b"}")]


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested plain values by dotted path; lists stay whole."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{path}.")
        elif value is not None:
            flat[path] = value
    return flat
