"""`assay components`: what can stand in a spec."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.core.component import Component, Family


def command(
    family: Annotated[str | None, typer.Argument(help="A family such as model; without it, all of them.")] = None,
    kind: Annotated[str | None, typer.Argument(help="A kind of the family; without it, all of them.")] = None,
) -> None:
    """List the parts that a study can be made of, or one part with its fields and defaults.

    Examples: assay components; assay components model; assay components model bilstm
    """
    from pipelines.cli.common import refuse_word
    from specs.families import families

    known = families()
    if family is None:
        width = max(len(name) for name in known)
        for name, one in known.items():
            typer.echo(f"{name:<{width}}  {', '.join(one.members()) or '(none in this version)'}")
        return
    found = known.get(family)
    if found is None:
        refuse_word("no family", family, known, "there is")
    elif kind is None:
        _members(found)
    elif kind not in found.members():
        refuse_word(f"no {found.name}", kind, found.members(), "there is")
    else:
        _fields(found.members()[kind])


def _members(family: Family) -> None:
    width = max((len(kind) for kind in family.members()), default=0)
    for kind, member in family.members().items():
        tasks = getattr(member, "tasks", ())
        served = f" [{', '.join(tasks)}]" if tasks else ""
        typer.echo(f"{kind:<{width}}  {_first_line(member)}{served}")


def _fields(member: type[Component]) -> None:
    typer.echo(inspect.getdoc(member) or "")
    tasks = getattr(member, "tasks", ())
    if tasks:
        typer.echo(f"\ntasks: {', '.join(tasks)}")
    for name, said in getattr(member, "stated", dict)().items():
        typer.echo(f"\n{name}: {said}")
    typer.echo("\nfields:")
    for name, field in member.model_fields.items():
        if name == "kind":
            continue
        default = "required" if field.is_required() else f"default {_plain(field.get_default(call_default_factory=True))}"
        typer.echo(f"  {name}: {field.description or ''} ({default})")


def _plain(value: object) -> str:
    kind = getattr(value, "kind", None)
    return f"{{kind: {kind}}}" if kind is not None else "none" if value is None else str(value)


def _first_line(member: type[Component]) -> str:
    return (inspect.getdoc(member) or "").split("\n")[0].split(". ")[0].rstrip(".")
