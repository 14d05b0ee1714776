"""`assay run`: train, measure, record and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    new: Annotated[bool, typer.Option("--new", help="Record a new submission even where this study is finished.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes that work side by side.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = None,
    runner: Annotated[str | None, typer.Option(help="processes, or work-pool: trials go to the workers of `assay up`.")] = None,
    data: Annotated[Path | None, typer.Option(help="The catalogue's cache [env: ASSAY_DATA].")] = None,
    store: Annotated[str | None, typer.Option(help="Folder or URL of the artifact store [env: ASSAY_STORE].")] = None,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store [env: MLFLOW_TRACKING_URI].")] = None,
) -> None:
    """Run a study. The same command again continues it; a finished study trains nothing.

    Example: assay run specs/quickstart.yaml
    """
    from pipelines.cli.common import account_for, load_study, set_places

    set_places(data=data, store=store, tracking_uri=tracking_uri)
    given = {"processes": processes, "device": device, "runner": runner}
    execution = {name: value for name, value in given.items() if value is not None}
    loaded = load_study(study, execution)
    account_for(loaded)
    from pipelines.arranging import Skipped
    from pipelines.running import run_locally

    try:
        outcome = run_locally(loaded, execution, new, quiet=as_json)
    except KeyboardInterrupt:
        typer.echo("stopped; nothing finished is lost: the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(outcome.as_json()))
    elif isinstance(outcome, Skipped):
        typer.echo(f"{outcome.study}: {outcome.sentence}")
    else:
        _say(outcome)
    raise typer.Exit(outcome.exit_code)


def _say(outcome: object) -> None:
    from rich.console import Console

    from pipelines.outcome import Outcome
    from pipelines.verdict import links
    from tasks.comparison.terminal import print_comparison
    from tasks.core.places import shown_uri, tracking_uri

    assert isinstance(outcome, Outcome)
    console = Console(highlight=False)
    print_comparison(outcome.comparison, console)
    for problem in outcome.failed:
        if problem.root:
            console.print(f"failed: {problem.node.label}: {problem.reason}", style="red", markup=False, soft_wrap=True)
    following = sum(not problem.root for problem in outcome.failed)
    if following:
        console.print(f"not run for want of these: {following} steps", style="red", markup=False)
    console.print(f"\nsteps: {outcome.made} made, {outcome.reused} reused", markup=False)
    if outcome.registered is not None:
        console.print(outcome.registered.sentence, style=None if outcome.registered.version else "red", markup=False, soft_wrap=True)
    console.print(f"report: {outcome.report}", markup=False, soft_wrap=True)
    console.print(f"records: MLflow run {outcome.mlflow_run} in {shown_uri(tracking_uri())}", markup=False, soft_wrap=True)
    page = links(outcome).get("MLflow run")
    console.print(f"browse: {page}" if page else "browse: assay up   (the MLflow page of these records, and Prefect)", markup=False, soft_wrap=True)
