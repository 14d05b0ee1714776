"""The `assay` command. Each subcommand is a file of this folder, imported when it is called."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from tasks.runtime.execution import end_with_coordinator

if TYPE_CHECKING:
    import click

end_with_coordinator()  # a pooled process imports this module before it has any work to do

COMMANDS = ("new", "validate", "plan", "run", "compare", "report", "export", "explain", "components", "schema", "doctor", "ledger", "gc", "up")


class _Subcommands(TyperGroup):
    """Finds a subcommand by its file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name=cmd_name)(importlib.import_module(f"pipelines.cli.{cmd_name}").command)
        return typer.main.get_command(single)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        from specs.errors import did_you_mean, one_line

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], COMMANDS) or f"; the commands are {', '.join(COMMANDS)}"
            ctx.fail(f"no such command '{one_line(args[0], 40)}'{hint}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Subcommands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        try:
            typer.echo(version("assay"))
        except PackageNotFoundError:
            typer.echo("not installed")
        raise typer.Exit


@app.callback()
def assay(
    show_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Is a language model private, fair and good, and what does each cost the other? A study in YAML answers.

    Begin with: assay run specs/quickstart.yaml
    """


def main() -> None:
    """Run the command. What a person can mend is said in one line each, with exit code 2."""
    from specs.errors import SpecErrors, one_line
    from tasks.core.errors import UserError

    try:
        app()
    except SpecErrors as errors:
        for error in errors.errors:
            typer.echo(str(error), err=True)
        sys.exit(2)
    except UserError as error:
        typer.echo(f"assay: {one_line(str(error), 1000)}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
