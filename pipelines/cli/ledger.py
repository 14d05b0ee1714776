"""`assay ledger`: the privacy that each population has spent, for good."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.privacy.ledger.entry import Entry
    from tasks.privacy.ledger.ledger import Ledger
    from tasks.privacy.ledger.spent import Spent

NEWEST = 20


class Action(StrEnum):
    """What can be asked of the ledger."""

    SHOW = "show"
    VERIFY = "verify"
    EXPORT = "export"
    BUDGET = "budget"


def command(
    action: Annotated[Action, typer.Argument(help="show, verify, export, or budget.")] = Action.SHOW,
    population: Annotated[str | None, typer.Argument(help="Only this population.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="budget: the most that the population may spend over its lifetime.")] = None,
    delta: Annotated[float | None, typer.Option(help="budget: at which delta.")] = None,
    head: Annotated[str | None, typer.Option(help="verify: a hash that was the last one once, and must still be in the chain.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="export: the file to write, .csv, or JSON lines with any other name; without it JSON lines are printed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="show: print it as JSON.")] = False,
) -> None:
    """Show what each population has spent over its lifetime; verify that no entry was changed; export all entries; set a budget.

    Example: assay ledger show assistant-users

    Example: assay ledger budget assistant-users --epsilon 20 --delta 1e-6

    Where it lies: mlruns/ledger.db, a database of ASSAY_DATABASE, or the SQLAlchemy URL in ASSAY_LEDGER.
    """
    from tasks.privacy.ledger.ledger import open_ledger

    ledger = open_ledger()
    if action is Action.SHOW:
        _show(ledger, population, as_json)
    elif action is Action.VERIFY:
        _verify(ledger, head)
    elif action is Action.EXPORT:
        _export(ledger, population, out)
    else:
        _budget(ledger, population, epsilon, delta)


def _show(ledger: Ledger, population: str | None, as_json: bool) -> None:
    known = ledger.populations()
    if population is not None:
        _known(population, known)
    chosen = [ledger.spent(name) for name in (known if population is None else [population])]
    if as_json:
        import json

        typer.echo(json.dumps([_values(spent) for spent in chosen]))
    elif not chosen:
        typer.echo("the ledger is empty: no training has spent anything yet")
    else:
        _table(chosen)
        if population is not None:
            _newest(ledger.entries(population))


def _table(chosen: list[Spent]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("population", "lifetime", "trainings", "not ended", "uncovered", "budget", "left"):
        table.add_column(title, justify="left" if title in ("population", "lifetime", "budget") else "right", overflow="fold")
    for spent in chosen:
        budget = spent.budget
        said = "none" if budget is None else f"epsilon {budget.epsilon:g} at delta {budget.delta:g}"
        left = "" if spent.left is None else f"{spent.left:.3g}"
        table.add_row(spent.population, spent.guarantee, f"{spent.trainings:,}", f"{spent.open:,}", f"{spent.uncovered:,}", said, left)
    Console(highlight=False).print(table)


def _newest(entries: Iterable[Entry]) -> None:
    """The last entries of one population."""
    from collections import deque

    from rich.console import Console
    from rich.table import Table

    from tasks.privacy.account import rounded_up

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("entry", "when", "what", "training", "alone", "note"):
        table.add_column(title, overflow="fold")
    for entry in deque(entries, NEWEST):
        alone = "" if entry.epsilon is None or entry.delta is None else f"({rounded_up(entry.epsilon)}, {rounded_up(entry.delta)})"
        table.add_row(str(entry.position), entry.at, entry.action, entry.training[:12], alone, entry.note)
    typer.echo(f"\nits last {NEWEST} entries (all: assay ledger export)")
    Console(highlight=False).print(table)


def _values(spent: Spent) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "population": spent.population,
        "guarantee": spent.guarantee,
        "epsilon_lifetime": spent.lifetime,
        "delta": spent.at,
        "trainings": spent.trainings,
        "open": spent.open,
        "uncovered": spent.uncovered,
        "budget": None if spent.budget is None else asdict(spent.budget),
    }


def _verify(ledger: Ledger, head: str | None) -> None:
    from tasks.privacy.ledger.entry import TamperedLedger

    if head is not None and not any(entry.hash == head for entry in ledger.entries()):
        raise TamperedLedger(f"no entry has the hash {head[:64]}: the chain was cut or written anew since that was its last one")
    last = ledger.verify()
    typer.echo(f"the chain is whole; its last hash is {last}")
    typer.echo("Keep that hash elsewhere: verify --head HASH shows whether the chain was later cut at its end or written anew.", err=True)


def _export(ledger: Ledger, population: str | None, out: Path | None) -> None:
    import csv
    import io
    import json
    from dataclasses import asdict

    from pipelines.cli.common import write_text

    if population is not None:
        _known(population, ledger.populations())
    rows = [asdict(entry) for entry in ledger.entries(population)]
    if out is not None and out.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys() if rows else ["position"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue()
    else:
        content = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    if out is None:
        typer.echo(content, nl=False)
        return
    write_text(out, content)
    typer.echo(f"written: {out} ({len(rows):,} entries)")


def _budget(ledger: Ledger, population: str | None, epsilon: float | None, delta: float | None) -> None:
    from tasks.core.errors import UserError
    from tasks.privacy.ledger.spent import Budget

    if population is None or epsilon is None or delta is None or not (epsilon > 0 and 0 < delta < 1):
        raise UserError("a budget needs a population, an epsilon above 0 and a delta between 0 and 1: assay ledger budget NAME --epsilon 20 --delta 1e-6")
    new = ledger.set_budget(population, Budget(epsilon, delta))
    spent = ledger.spent(population)
    typer.echo(f"{'set' if new else 'unchanged'}: population '{population}' may spend epsilon {epsilon:g} at delta {delta:g}; so far: {spent.guarantee}")


def _known(population: str, known: list[str]) -> None:
    from pipelines.cli.common import refuse_word

    if population not in known:
        refuse_word("the ledger has no population", population, known, "it has")
