"""`assay report`: the newest HTML report of a recorded study."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="The study's name.")],
    out: Annotated[Path, typer.Option(help="Where to write the report.")] = Path("report.html"),
    show: Annotated[bool, typer.Option("--open", help="Open it in the web browser.")] = False,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store [env: MLFLOW_TRACKING_URI].")] = None,
) -> None:
    """Write the newest report of a study: one HTML file that needs nothing else.

    Example: assay report quickstart --out quickstart.html --open
    """
    from pipelines.cli.common import recorded, set_places, write_text

    set_places(data=None, store=None, tracking_uri=tracking_uri)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        found = recorded(name, Path(scratch))
        write_text(out, (found.folder / "report.html").read_text())
    typer.echo(f"report of {name} (MLflow run {found.run}): {out.resolve()}")
    if show:
        import webbrowser

        webbrowser.open(out.resolve().as_uri())
