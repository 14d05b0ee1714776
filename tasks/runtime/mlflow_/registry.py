"""Recorded models: from a run id or a registered name and alias to a folder on this machine, and from a run to a version of a registered model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.runs import PARENT

MODEL_FOLDER, MODEL_KEY = "model", "model_key"
ABOUT = "Models of Assay studies. The description of each version states its privacy guarantee; privacy.json beside the weights holds every condition of it."


class UnknownModel(UserError):
    """The run or registered model is not in the MLflow store, or holds no model artifact."""


@dataclass(frozen=True)
class RecordedModel:
    """A fixed model artifact: the run that logged it and its folder on this machine."""

    run: str
    folder: Path


def resolve(run: str | None, name: str | None, alias: str | None, scratch: Path) -> RecordedModel:
    """The model of a run, or of a registered model's alias now. A remote artifact is downloaded below ``scratch``. Raises UnknownModel."""
    from mlflow.exceptions import MlflowException

    client = open_client()
    try:
        if run is None:
            run = str(client.get_model_version_by_alias(str(name), str(alias)).run_id)
        client.get_run(run)
        files = client.list_artifacts(run, MODEL_FOLDER)
    except MlflowException as error:
        wanted = f"run {run}" if run else f"registered model {name}@{alias}"
        raise UnknownModel(f"{wanted}: not found in the MLflow store ({str(error).splitlines()[0][:160]})") from error
    if not files:
        raise UnknownModel(f"run {run}: it has no artifact '{MODEL_FOLDER}/'; a study logs its models as execution.log_models says")
    scratch.mkdir(parents=True, exist_ok=True)
    return RecordedModel(run, Path(client.download_artifacts(run, MODEL_FOLDER, str(scratch))))


@dataclass(frozen=True)
class NewVersion:
    """A version of a registered model: the run whose ``model/`` it is, the key of that artifact, and what is said of it."""

    name: str
    run: str
    key: str
    description: str
    tags: Mapping[str, str]


def version_of(name: str, run: str, key: str) -> str | None:
    """The version of a registered model that a run's model of this key has already."""
    versions = open_client().search_model_versions(f"name = '{name}' and run_id = '{run}'")
    return next((str(version.version) for version in versions if version.tags.get(MODEL_KEY) == key), None)


def register(wanted: NewVersion) -> str:
    """The number of the version: a new one, or the one that the same model of the same run has already."""
    from mlflow.exceptions import MlflowException

    client = open_client()
    try:
        client.create_registered_model(wanted.name, description=ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = version_of(wanted.name, wanted.run, wanted.key)
    if found is not None:
        return found
    tags = {**wanted.tags, MODEL_KEY: wanted.key}
    made = client.create_model_version(wanted.name, f"runs:/{wanted.run}/{MODEL_FOLDER}", wanted.run, tags=tags, description=wanted.description)
    return str(made.version)


def study_status(run: str) -> str | None:
    """The status of the study that a trial's run belongs to: ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED``; None where the store does not know them."""
    from mlflow.exceptions import MlflowException

    client = open_client()
    try:
        found = client.get_run(run)
        parent = found.data.tags.get(PARENT)
        return str((client.get_run(parent) if parent else found).info.status)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def alias_run(name: str, alias: str) -> str | None:
    """The run whose model an alias of a registered model points at; None where there is no such alias."""
    from mlflow.exceptions import MlflowException

    try:
        return str(open_client().get_model_version_by_alias(name, alias).run_id)
    except MlflowException:
        return None


def point_alias(name: str, alias: str, version: str) -> bool:
    """Point an alias at a version. Returns whether it did not point there."""
    from mlflow.exceptions import MlflowException

    client = open_client()
    try:
        before = str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException:
        before = ""
    if before != version:
        client.set_registered_model_alias(name, alias, version)
    return before != version
