"""Runs that were left open: submissions that a killed coordinator never ended, found and marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.runs import PARENT, ROLE, STUDY_KEY, every_run

OPEN = ("RUNNING", "SCHEDULED")
MOST_EXPERIMENTS = 100
"""In one search for runs: a database has an end to what one question may name."""


@dataclass(frozen=True)
class OpenSubmission:
    """A submission that has not ended: its parent run, its study, and all tags of the run."""

    run: str
    study: str
    study_key: str
    tags: Mapping[str, str]


def end_open_runs(parent: str, status: Literal["KILLED", "FAILED"]) -> int:
    """Give the runs of a submission that are still open a status; returns how many there were. Raises what ``failures`` names.

    The parent goes last: a call that is itself cut short leaves the submission among the open ones.
    """
    client = open_client()
    submission = client.get_run(parent)
    children = every_run(client, [submission.info.experiment_id], f"tags.`{PARENT}` = '{parent}'")
    left = [run for run in (*children, submission) if run.info.status in OPEN]
    for run in left:
        client.set_terminated(run.info.run_id, status)
    return len(left)


def open_submissions() -> list[OpenSubmission]:
    """Every submission of every study whose parent run is RUNNING, the newest of each study first. Raises what ``failures`` names."""
    client = open_client()
    names: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        names |= {str(experiment.experiment_id): str(experiment.name) for experiment in page}
        token = page.token
        if not token:
            break
    ids, condition = list(names), f"tags.`{ROLE}` = 'study' and attributes.status = 'RUNNING'"
    runs = [run for start in range(0, len(ids), MOST_EXPERIMENTS) for run in every_run(client, ids[start : start + MOST_EXPERIMENTS], condition)]
    return [OpenSubmission(run.info.run_id, names[run.info.experiment_id], run.data.tags[STUDY_KEY], dict(run.data.tags)) for run in runs]
