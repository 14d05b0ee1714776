"""`assay up`: the pages, the servers and the workers, from one command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.services.wanted import Options


def command(
    detach: Annotated[bool, typer.Option("--detach", help="Start in the background, return when all is healthy.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End what runs for this home, and wait until it has.")] = False,
    prefect_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Prefect's page and API.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of MLflow's page.")] = 5000,
    coordinators: Annotated[int, typer.Option(min=1, help="Studies under way at once.")] = 4,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials at once on each trial worker; by default one per GPU, two on processors.")] = None,
    trial_workers: Annotated[int, typer.Option(min=1, help="Trial workers.")] = 1,
    database: Annotated[
        str | None,
        typer.Option(help="postgresql://user@host:port for all records, instead of SQLite. A password belongs in the environment [env: ASSAY_DATABASE]."),
    ] = None,
) -> None:
    """Start MLflow's page, a Prefect server and workers, on loopback, with all deployments of infra/prefect.yaml; Ctrl-C ends them.

    Called again for the same home it shows what runs and follows it; Ctrl-C then leaves it running.

    Examples: assay up; assay up --detach --trial-workers 4 --trials 1; assay up --stop

    Then: PREFECT_API_URL=http://127.0.0.1:4200/api prefect deployment run dp-training/quickstart --watch
    """
    from pipelines.services import following, state
    from pipelines.services.wanted import Options
    from tasks.runtime.devices import pool_size

    if database is not None:
        os.environ["ASSAY_DATABASE"] = database
    if stop:
        following.stop(typer.echo)
        return
    options = Options(prefect_port, mlflow_port, coordinators, trials or pool_size("auto", "auto"), trial_workers)
    if state.living() is not None:
        _attach(detach)
    elif detach:
        _detach(options)
    else:
        _supervise(options)


def _supervise(options: Options) -> None:
    from pipelines.services.running import serve
    from pipelines.services.state import AlreadyUp

    try:
        serve(options, typer.echo)
    except AlreadyUp:
        _attach(detached=False)


def _detach(options: Options) -> None:
    from pipelines.services import following
    from pipelines.services.running import refuse_early
    from pipelines.services.showing import addresses

    refuse_early(options)
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in vars(options).items()]
    found = following.wait_until_running(following.start_detached(arguments), typer.echo)
    typer.echo("\n".join(["", *addresses(found), "end       assay up --stop"]))


def _attach(detached: bool) -> None:
    from pipelines.services import following, state
    from pipelines.services.showing import addresses

    typer.echo("already up for this home" + ("" if detached else "; Ctrl-C leaves it running"))
    told: dict[str, str] = {}
    try:
        following.follow(typer.echo, lambda up: up.phase != "starting", told)
        found = state.living()
        if found is not None:
            typer.echo("\n".join(["", *addresses(found)]))
            if not detached:
                following.follow(typer.echo, told=told)
    except KeyboardInterrupt:
        return
    if state.living() is None:
        typer.echo("the services have ended")
