"""`assay plan`: what a study will do, before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[Path, typer.Argument(help="The study's YAML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    data: Annotated[Path | None, typer.Option(help="The catalogue's cache [env: ASSAY_DATA].")] = None,
    store: Annotated[str | None, typer.Option(help="Folder or URL of the artifact store [env: ASSAY_STORE].")] = None,
) -> None:
    """Show the trials, the DAG, what the store has already and an estimate of seconds. Runs nothing.

    Example: assay plan specs/quickstart.yaml
    """
    from pipelines.cli.common import account_for, load_study, set_places

    set_places(data=data, store=store, tracking_uri=None)
    loaded = load_study(study)
    account_for(loaded)
    from pipelines.arranging import Skipped, arrange
    from pipelines.describing import plan_json, print_plan
    from pipelines.planning import make_plan

    arranged = arrange(loaded, begin=False)
    if isinstance(arranged, Skipped):
        typer.echo(json.dumps(arranged.as_json()) if as_json else f"{arranged.study}: {arranged.sentence}")
        return
    plan = make_plan(arranged.loaded)
    if as_json:
        typer.echo(json.dumps(plan_json(plan)))
        return
    print_plan(plan)
    for note in arranged.said:
        typer.echo(f"note: {note}")
