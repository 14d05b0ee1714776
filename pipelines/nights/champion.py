"""The champion of an audit: held in the ledger's database; the alias in MLflow follows it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from specs.schemas.retraining_audit import Incumbent
from tasks.comparison.results import CHAMPION
from tasks.models.model import MODELS, Model
from tasks.privacy.ledger.nights import Champion
from tasks.runtime.mlflow_.registry import NewVersion, UnknownModel, alias_run, point_alias, register, resolve, study_status


def incumbent(name: str, champion: Champion | None) -> Incumbent | None:
    """The champion as a night compares with it; a model that somebody gave the alias by hand is taken over. None where there is none.

    Raises UnknownModel where it cannot be loaded.
    """
    run = champion.run if champion is not None else alias_run(name, CHAMPION)
    if run is None:
        return None
    with TemporaryDirectory(prefix="assay-") as scratch:
        folder = resolve(run, None, None, Path(scratch) / uuid.uuid4().hex).folder
        try:
            answers = json.loads((folder / "labels.json").read_text())
            guarantee = str(json.loads((folder / "privacy.json").read_text())["guarantee"])
        except (OSError, ValueError, KeyError) as error:
            raise UnknownModel(f"run {run}: its artifact 'model/' is not whole ({type(error).__name__})") from None
    model = MODELS.parse({"kind": "mlflow", "run": run})
    assert isinstance(model, Model)
    return Incumbent(
        version=champion.version if champion is not None else 0,
        run=run,
        guarantee=guarantee,
        labels=tuple(answers["labels"]),
        slots=tuple(answers["slots"]),
        model=model,
    )


def follow(champion: Champion, description: str = "", tags: Mapping[str, str] | None = None) -> str | None:
    """Register the champion's model where it is not, and point the alias at it. Returns its version where the alias pointed elsewhere.

    A champion whose run the records do not know stays as it is: the night says that it cannot be loaded.
    """
    if study_status(champion.run) is None:
        return None
    version = register(NewVersion(champion.name, champion.run, champion.artifact, description, tags or {}))
    return version if point_alias(champion.name, CHAMPION, version) else None
