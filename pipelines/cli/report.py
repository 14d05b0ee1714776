"""`assay report`: the newest HTML report of a recorded study."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.comparison.history import NightLine


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
        nights = _with_later_nights(found.folder)
        write_text(out, (found.folder / "report.html").read_text())
    if nights:
        from rich.console import Console

        from tasks.comparison.terminal import print_nights

        print_nights(nights, Console(highlight=False))
    typer.echo(f"report of {name} (MLflow run {found.run}): {out.resolve()}")
    if show:
        import webbrowser

        webbrowser.open(out.resolve().as_uri())


def _with_later_nights(folder: Path) -> tuple[NightLine, ...]:
    """The nights of a retraining audit; its report is written again where there were nights since, that trained nothing and so wrote none."""
    from pipelines.nights.history import nights_of
    from tasks.comparison.comparison import Comparison
    from tasks.comparison.files import rewrite_report

    comparison = Comparison.model_validate_json((folder / "comparison.json").read_text(encoding="utf-8"))
    if not comparison.nights:
        return ()
    nights = nights_of(comparison.study)
    if nights != comparison.nights:
        rewrite_report(comparison.model_copy(update={"nights": nights}), folder)
    return nights
