"""What the subcommands share: where things are, and a study read or refused."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from specs.loading import Loaded
    from tasks.runtime.mlflow_.history import RecordedStudy


def set_places(data: Path | None, store: str | None, tracking_uri: str | None) -> None:
    """Command-line places win over the environment; child processes see them too."""
    given = {"ASSAY_DATA": data, "ASSAY_STORE": store, "MLFLOW_TRACKING_URI": tracking_uri}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})


def load_study(study: Path, execution: Mapping[str, Any] | None = None) -> Loaded:
    """A study as a person names it: from the current folder, else from the home folder. Raises SpecErrors, which main prints."""
    from specs.loading import load
    from tasks.core.places import home

    in_home = home() / study
    path = study if study.is_absolute() or _is_there(study) or not _is_there(in_home) else in_home
    return load(path, execution=execution or {})


def account_for(loaded: Loaded) -> None:
    """Work out what every trial spends, which takes seconds the first time on a machine; a spinner says so where somebody watches."""
    from rich.console import Console

    with Console(stderr=True).status("accounting for privacy (kept for the next time)"):
        for trial in loaded.trials:
            trial.study.account()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def write_text(path: Path, text: str) -> None:
    """Write a file that a person asked for. Raises UserError where that cannot be."""
    from tasks.core.errors import UserError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def refuse_word(said: str, word: str, known: Iterable[str], listing: str) -> NoReturn:
    """One line on a word that is not known, with the nearest one or all of them, and exit code 2."""
    import typer

    from specs.errors import did_you_mean, one_line

    choices = list(known)
    hint = did_you_mean(word, choices) or f"; {listing} {', '.join(choices)}"
    typer.echo(f"{said} '{one_line(word, 40)}'{hint}", err=True)
    raise typer.Exit(2)


def recorded(name: str, scratch: Path) -> RecordedStudy:
    """The newest comparison of a study; one line and exit code 2 where there is none."""
    import typer

    from tasks.runtime.mlflow_.history import UnknownStudy, newest

    try:
        return newest(name, scratch)
    except UnknownStudy as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
