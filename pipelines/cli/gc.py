"""`assay gc`: remove artifacts that no study needs."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    forget: Annotated[list[str] | None, typer.Option(help="Also give up the artifacts of this study; may be repeated.")] = None,
    store: Annotated[str | None, typer.Option(help="Folder or URL of the artifact store [env: ASSAY_STORE].")] = None,
) -> None:
    """Remove artifacts and unfinished work that the newest submission of no study stands on. MLflow records stay.

    Example: assay gc --dry-run
    """
    from pipelines.cli.common import set_places
    from pipelines.collecting import collect
    from tasks.core.places import store_url
    from tasks.core.store import reach_store

    set_places(data=None, store=store, tracking_uri=None)
    try:
        found = collect(reach_store(store_url()), forget or [], dry_run)
    except KeyError as error:
        typer.echo(f"no study '{error.args[0]}' stands in the store; known: {error.args[1]}", err=True)
        raise typer.Exit(2) from None
    word = "would remove" if dry_run else "removed"
    kept = f"kept {found.kept} artifacts of {found.studies} studies"
    typer.echo(f"{word} {found.artifacts} artifacts and {found.leftovers} leftovers, {found.bytes / 2**20:.1f} MiB; {kept}")
    if found.busy:
        typer.echo(f"left alone: {found.busy} that a process works on now")
