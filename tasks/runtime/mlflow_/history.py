"""What was recorded: the studies, and the files of their newest comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import find_experiment, open_client
from tasks.runtime.mlflow_.runs import ROLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

COMPARISON_FOLDER = "comparison"


class UnknownStudy(UserError):
    """No such study was recorded, or none of its submissions has a comparison yet."""


@dataclass(frozen=True)
class RecordedStudy:
    """The newest submission of a study that has a comparison: its parent run and the folder of the comparison."""

    run: str
    folder: Path


def studies() -> list[str]:
    """Names of all recorded studies, sorted."""
    return sorted(str(experiment.name) for experiment in open_client().search_experiments() if experiment.name != "Default")


def newest(name: str, scratch: Path) -> RecordedStudy:
    """The newest comparison of a study. Remote files are downloaded below ``scratch``. Raises UnknownStudy."""
    client = open_client()
    run = newest_submission(client, name)
    scratch.mkdir(parents=True, exist_ok=True)
    return RecordedStudy(str(run.info.run_id), Path(client.download_artifacts(run.info.run_id, COMPARISON_FOLDER, str(scratch))))


def newest_submission(client: MlflowClient, name: str) -> Run:
    """The parent run of the newest submission of a study that has a comparison. Raises UnknownStudy."""
    experiment = find_experiment(client, name)
    if experiment is None:
        from difflib import get_close_matches

        close = get_close_matches(name, studies(), 1)
        raise UnknownStudy(f"no study '{name}' was recorded" + (f"; did you mean '{close[0]}'?" if close else ""))
    runs = client.search_runs([experiment.experiment_id], f"tags.`{ROLE}` = 'study'", order_by=["attributes.start_time DESC"])
    for run in runs:
        if client.list_artifacts(run.info.run_id, COMPARISON_FOLDER):
            return run
    raise UnknownStudy(f"study '{name}' has no comparison yet: run it to its end")
