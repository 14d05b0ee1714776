"""`assay compare`: the newest comparison of a recorded study."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str | None, typer.Argument(help="The study's name; without it, the names of all recorded studies.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the comparison as CSV to this file.")] = None,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store [env: MLFLOW_TRACKING_URI].")] = None,
) -> None:
    """Show the newest comparison of a study: arms, metrics with intervals, claims in words.

    Example: assay compare quickstart
    """
    from pipelines.cli.common import recorded, set_places, write_text

    set_places(data=None, store=None, tracking_uri=tracking_uri)
    if name is None:
        from tasks.runtime.mlflow_.history import studies

        typer.echo("\n".join(studies()) or "no study was recorded yet: assay run specs/quickstart.yaml")
        return
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        found = recorded(name, Path(scratch))
        values = json.loads((found.folder / "comparison.json").read_text())
        if csv is not None:
            write_text(csv, (found.folder / "comparison.csv").read_text())
            typer.echo(f"written: {csv}", err=True)
    if as_json:
        typer.echo(json.dumps({**values, "mlflow_run": found.run}))
        return
    from rich.console import Console

    from tasks.comparison.comparison import Comparison
    from tasks.comparison.terminal import print_comparison

    print_comparison(Comparison.model_validate(values), Console(highlight=False))
    typer.echo(f"records: MLflow run {found.run}")
