"""`assay new`: a first study, ready to run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="Name of the study: a-z, 0-9 and '-'.")],
    table: Annotated[Path | None, typer.Option("--from", help="A table of your own: .csv, .jsonl or .parquet. Without it, synthetic data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; NAME.yaml in the current folder by default.")] = None,
) -> None:
    """Write a study that runs as it is, for you to change.

    Examples: assay new first; assay new tickets --from data.csv
    """
    from pipelines.cli.common import write_text
    from specs.drafting import draft
    from specs.loading import load
    from specs.schemas.study import STUDY_NAME
    from tasks.core.errors import UserError

    if not re.fullmatch(STUDY_NAME, name):
        raise UserError(f"a study's name is made of a-z, 0-9 and '-', not beginning or ending with '-' (got '{name}')")
    target = out or Path(f"{name}.yaml")
    if target.exists():
        raise UserError(f"{target} exists; give another name, or --out")
    if table is not None and not table.is_file():
        raise UserError(f"no such file: {table}")
    try:
        text = draft(name, target, table)
    except ValueError as error:
        raise UserError(str(error)) from None
    write_text(target, text)
    found = load(target).raw["data"].get("columns", {})
    typer.echo(f"written: {target}")
    if found:
        typer.echo("columns: " + ", ".join(f"{word} = {column}" for word, column in found.items()))
        if "label" not in found and "slots" not in found:
            typer.echo(f"no column looks like a label, so a language model is trained on the text; else write it under data.columns in {target}")
    typer.echo(f"next: assay run {target}")
