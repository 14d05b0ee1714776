"""`assay export`: a trained model as a folder for others, with a card that states its guarantee."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.models.exporting import Origin


def command(
    run: Annotated[str, typer.Argument(help="The model: a run id, STUDY/ARM[/SEED], or a folder.")],
    out: Annotated[Path, typer.Option(help="The folder to write; empty or not there yet.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the folder with all that is in it.")] = False,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store [env: MLFLOW_TRACKING_URI].")] = None,
) -> None:
    """Write a trained model as a Hugging Face folder. Its README.md states the privacy guarantee with every condition.

    RUN is the MLflow run id of a trial; or STUDY/ARM[/SEED] of the study's newest comparison, without SEED the lowest one; or the folder
    of a model artifact.

    Example: assay export quickstart/linear --out linear
    """
    from pipelines.cli.common import set_places

    set_places(data=None, store=None, tracking_uri=tracking_uri)
    target = out.expanduser().resolve()
    _check_target(target, out, force)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        artifact, origin = _source(run, Path(scratch))
        _check_apart(target, artifact.resolve(), out)
        from tasks.models.exporting import export_model

        with _replacing(target, out) as aside:
            contents = export_model(artifact, aside, origin)
    loads = "transformers or Assay" if contents.in_transformers else "Assay"
    typer.echo(f"exported: {target} (loads with {loads}; {target / 'README.md'} says how)")
    typer.echo(f"privacy guarantee: {contents.privacy.get('guarantee') or 'not recorded'}")


def _source(run: str, scratch: Path) -> tuple[Path, Origin | None]:
    """The artifact's folder, and what the records say of it where they were asked. Raises UserError."""
    from tasks.core.errors import UserError
    from tasks.runtime.mlflow_.registry import resolve
    from tasks.runtime.mlflow_.trials import find_trial

    folder = Path(run).expanduser()
    if folder.is_dir():
        return folder, None
    study, slash, trial = run.partition("/")
    if run.startswith((".", "/", "~")) or (slash and not trial):
        raise UserError(f"no such folder: {run}")
    found = resolve(find_trial(study, trial) if slash else _not_a_study(run), None, None, scratch)
    return found.folder, _origin(found.run)


def _not_a_study(run: str) -> str:
    """The same word, unless it is the name of a study, which has many models, or nearly that. Raises UserError."""
    from specs.errors import did_you_mean
    from tasks.core.errors import UserError
    from tasks.runtime.mlflow_.history import studies

    known = studies()
    if run in known:
        raise UserError(f"'{run}' is a study: say which of its models, {run}/ARM or {run}/ARM/SEED")
    hint = did_you_mean(run, known)
    if hint:
        raise UserError(f"no run, study or folder '{run}'{hint}")
    return run


def _origin(run: str) -> Origin:
    """What a run's tags mean."""
    from tasks.models.exporting import Origin
    from tasks.runtime.mlflow_.runs import ARM, SEED
    from tasks.runtime.mlflow_.trials import recorded_trial

    found = recorded_trial(run)
    params, tags = found.params, found.tags
    by_name = f"{params.get('model.name')}@{params.get('model.alias')}"
    base = params.get("model.run", by_name) if params.get("model.kind") == "mlflow" else None
    prefix, reasons = "version.", "not_measured."
    return Origin(
        run=run,
        study=found.study,
        arm=tags.get(ARM),
        seed=tags.get(SEED),
        git_commit=found.study_tags.get("git_commit"),
        versions={name.removeprefix(prefix): text for name, text in found.study_tags.items() if name.startswith(prefix)},
        data_digest=tags.get("data_digest"),
        labels=tags.get("labels"),
        base=base,
        metrics=found.metrics,
        not_measured={name.removeprefix(reasons): text for name, text in tags.items() if name.startswith(reasons)},
    )


def _check_target(target: Path, out: Path, force: bool) -> None:
    """Raises UserError where the folder may not be written, or holds what nobody means to replace."""
    from tasks.core.errors import UserError
    from tasks.core.places import home

    if target.exists() and not target.is_dir():
        raise UserError(f"--out {out} is a file")
    for place, what in ((Path.cwd(), "the current folder"), (Path.home(), "your home folder"), (home(), "the home of Assay")):
        if place.resolve().is_relative_to(target):
            raise UserError(f"--out {out} holds {what}: name a folder of its own")
    if target.is_dir() and any(target.iterdir()):
        if not force:
            raise UserError(f"--out {out} is not empty; --force replaces it with all that is in it")
        if (target / ".git").exists():
            raise UserError(f"--out {out} is a git repository, which --force would remove: export beside it and copy the files")


def _check_apart(target: Path, artifact: Path, out: Path) -> None:
    """Raises UserError where one folder lies in the other."""
    from tasks.core.errors import UserError

    if artifact.is_relative_to(target) or target.is_relative_to(artifact):
        raise UserError(f"--out {out} and the model's own folder lie one in the other: name a folder of its own")


@contextlib.contextmanager
def _replacing(target: Path, out: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place once it is whole. Raises UserError where it cannot be written."""
    from tasks.core.errors import UserError

    aside = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    try:
        aside.mkdir(parents=True)
        yield aside
        before = target.rename(aside.with_name(f"{aside.name}.before")) if target.exists() else None
        aside.rename(target)
        if before is not None:
            shutil.rmtree(before)
    except OSError as error:
        raise UserError(f"--out {out} cannot be written: {error.strerror or type(error).__name__}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
