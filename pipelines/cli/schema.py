"""`assay schema`: JSON Schema of specs, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    kind: Annotated[str | None, typer.Argument(help="A kind of study; without it, all kinds in one schema.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema of a spec. An editor with a YAML server then completes and checks as you write.

    Example: assay schema --out specs/schema.json, and as a spec's first line: # yaml-language-server: $schema=schema.json
    """
    from pipelines.cli.common import refuse_word, write_text
    from specs.kinds import kinds

    if kind is not None and kind not in kinds():
        refuse_word("unknown kind", kind, kinds(), "the kinds of study are")
    text = json.dumps(_schema(kind), indent=1)
    if out is None:
        typer.echo(text)
        return
    write_text(out, text + "\n")
    typer.echo(f"written: {out}")


def _schema(kind: str | None) -> dict[str, Any]:
    from specs.kinds import kinds, study_class

    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    if kind is not None:
        return dialect | study_class(kind).model_json_schema()
    return dialect | _any_kind({name: study_class(name).model_json_schema() for name in kinds()})


def _any_kind(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One schema that chooses by ``kind``; definitions are shared by name, which one distribution keeps unique."""
    definitions: dict[str, Any] = {}
    for schema in schemas.values():
        definitions |= schema.pop("$defs", {})
    chosen = [{"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": schema} for name, schema in schemas.items()]
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": list(schemas)}}, "allOf": chosen, "$defs": definitions}
