"""Recorded trials: found by study, arm and seed, and what their runs say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.history import newest_submission
from tasks.runtime.mlflow_.runs import ARM, PARENT, SEED, every_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MOST_NAMED = 10


class UnknownTrial(UserError):
    """The newest submission of a study has no trial of that arm or seed."""


@dataclass(frozen=True)
class RecordedTrial:
    """What a run says: its numbers, its config by dotted path, its own tags and those of its submission.

    ``study`` is the name of its experiment; arm and seed stand in the tags of a trial.
    """

    run: str
    study: str
    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]
    study_tags: dict[str, str]


def find_trial(study: str, named: str) -> str:
    """The run of ``ARM`` or ``ARM/SEED`` in the newest submission of a study; without a seed, the lowest.

    Raises UnknownStudy and UnknownTrial, with the nearest name where one is near.
    """
    client = open_client()
    runs = {(run.data.tags[ARM], int(run.data.tags[SEED])): run for run in _trials(client, newest_submission(client, study))}
    arms = sorted({arm for arm, _ in runs})
    arm, _, seed = (named, "", "") if named in arms else named.rpartition("/")  # the name of an arm may hold a '/'
    if arm not in arms:
        raise UnknownTrial(f"study '{study}' has no arm '{arm or named}'{_hint(arm or named, arms, 'arms')}")
    seeds = {str(found): found for one, found in sorted(runs) if one == arm}
    if seed and seed not in seeds:
        raise UnknownTrial(f"arm '{arm}' of study '{study}' has no seed '{seed}'{_hint(seed, list(seeds), 'seeds')}")
    return str(runs[arm, seeds[seed] if seed else min(seeds.values())].info.run_id)


def recorded_trial(run: str) -> RecordedTrial:
    """What a run of the store and its submission say."""
    client = open_client()
    found = client.get_run(run)
    parent = found.data.tags.get(PARENT)
    study_tags = dict(client.get_run(parent).data.tags) if parent else {}
    study = str(client.get_experiment(found.info.experiment_id).name)
    return RecordedTrial(run, study, dict(found.data.metrics), dict(found.data.params), dict(found.data.tags), study_tags)


def _trials(client: MlflowClient, submission: Run) -> list[Run]:
    """All trials of a submission, however many."""
    children = every_run(client, [submission.info.experiment_id], f"tags.`{PARENT}` = '{submission.info.run_id}'")
    return [run for run in children if ARM in run.data.tags and SEED in run.data.tags]


def _hint(word: str, known: Iterable[str], what: str) -> str:
    """The nearest known name, else the first few."""
    from difflib import get_close_matches

    names = list(known)
    close = get_close_matches(word, names, 1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; its {what} are {', '.join(names[:MOST_NAMED])}{', ...' if len(names) > MOST_NAMED else ''}"
