"""`assay doctor`: whether this machine can run studies, and what to do where it cannot."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check Python, packages, devices, places, permissions, database, servers, ports and telemetry; say what to fix.

    Example: assay doctor
    """
    from pipelines.diagnosis import diagnose

    found = list(diagnose())
    if as_json:
        typer.echo(json.dumps([{"check": item.check, "ok": item.ok, "found": item.found, "fix": item.fix} for item in found]))
    else:
        width = max(len(item.check) for item in found)
        for item in found:
            typer.echo(f"{'ok  ' if item.ok else 'FIX '} {item.check:<{width}}  {item.found}")
            if not item.ok:
                typer.echo(f"     {'':<{width}}  -> {item.fix}")
    raise typer.Exit(0 if all(item.ok for item in found) else 1)
