"""`assay validate`: read studies and say everything that is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from specs.loading import Loaded


def command(
    studies: Annotated[list[Path], typer.Argument(help="YAML files of studies.")],
) -> None:
    """Check studies without running anything: every error at once, each with file, line and column.

    Example: assay validate specs/quickstart.yaml
    """
    from pipelines.cli.common import load_study
    from specs.errors import SpecErrors

    wrong = False
    for study in studies:
        try:
            _say(study, load_study(study))
        except SpecErrors as errors:
            wrong = True
            for error in errors.errors:
                typer.echo(str(error), err=True)
    raise typer.Exit(2 if wrong else 0)


def _say(study: Path, loaded: Loaded) -> None:
    trials, arms, seeds = len(loaded.trials), len(loaded.arms), len(loaded.study.sweep.seeds)
    word = "trial" if trials == 1 else "trials"
    typer.echo(f"{study}: valid {loaded.study.kind} study '{loaded.study.name}', {trials} {word} (arms: {arms}, seeds: {seeds})")
    for label in loaded.labels:
        typer.echo(f"  label: {label}")
