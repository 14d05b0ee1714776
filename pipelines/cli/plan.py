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
    from pipelines.cli.common import load_study, set_places

    set_places(data=data, store=store, tracking_uri=None)
    loaded = load_study(study)
    from pipelines.planning import as_json as plan_json
    from pipelines.planning import make_plan

    plan = make_plan(loaded)
    if as_json:
        typer.echo(json.dumps(plan_json(plan)))
        return
    _show(plan)


def _show(plan: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from pipelines.planning import Plan, seconds_left
    from tasks.runtime.devices import pool_size
    from tasks.runtime.execution import durations

    assert isinstance(plan, Plan)
    console = Console(highlight=False)
    missing = {node.key for node in plan.missing(verified=False)}
    known = durations(plan.store)
    table = Table(title=f"{plan.loaded.study.name}: {len(plan.trials)} trials, {len(plan.graph.nodes)} steps", title_justify="left")
    for column in ("trial", "steps", "in store", "to make", "seconds"):
        table.add_column(column, justify="left" if column == "trial" else "right")
    for planned in plan.trials:
        nodes = planned.graph.nodes()
        left = [node for node in nodes if node.key in missing]
        seconds = seconds_left(left, known, 1)
        table.add_row(planned.name, str(len(nodes)), str(len(nodes) - len(left)), str(len(left)), "?" if seconds is None else f"{seconds:.0f}")
    console.print(table)
    console.print("DAG of a trial: " + " -> ".join(dict.fromkeys(node.step.name for node in plan.trials[0].graph.nodes())))
    for label in plan.loaded.labels:
        console.print(f"label: {label}", markup=False)
    execution = plan.loaded.study.execution
    total = seconds_left([node for node in plan.graph if node.key in missing], known, pool_size(execution.processes, execution.device))
    console.print("to make: nothing, all is in the store" if not missing else f"to make: {len(missing)} steps, {_about(total)}")


def _about(seconds: float | None) -> str:
    return "time unknown until one trial of each arm ran on this machine" if seconds is None else f"about {seconds:.0f} s"
