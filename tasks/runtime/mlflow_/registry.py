"""Models that were recorded: from a run id or a registered name and alias to a folder on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import UserError
from tasks.runtime.mlflow_.client import open_client

MODEL_FOLDER = "model"


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
