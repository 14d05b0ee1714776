"""What the populations that a study trains on have spent over their lifetimes, as the ledger holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.planning import Plan
from tasks.comparison.comparison import Lifetime
from tasks.core.errors import UserError
from tasks.core.measures import Row
from tasks.data.dataset import Dataset
from tasks.privacy.account import Account, rounded_up
from tasks.privacy.ledger.charge import unnamed
from tasks.privacy.ledger.spent import Spent, counted

LIFETIME = "privacy/epsilon_lifetime"


@dataclass(frozen=True)
class _Training:
    """A charged training of a study: whose records, and whether this submission made it or found it made."""

    population: str
    made: bool


def lifetimes(plan: Plan, made: Collection[str]) -> tuple[Lifetime, ...]:
    """The lifetime of each population of a study, sorted; none where no training was charged.

    Args:
        made: the keys of what this submission made; everything else was there and spent nothing.
    """
    trainings = _trainings(plan, made)
    if not trainings:
        return ()
    from tasks.privacy.ledger.ledger import open_ledger

    ledger = open_ledger()
    populations = sorted({training.population for training in trainings})
    return tuple(_lifetime(ledger.spent(name), [training for training in trainings if training.population == name]) for name in populations)


def forecasts(plan: Plan) -> list[str]:
    """What the trainings that a plan lacks will do to the lifetime of each population, in a sentence each; none where they spend nothing."""
    wanted: dict[str, list[Account]] = {}
    for planned in plan.trials:
        study, account = planned.trial.study, planned.trial.study.account()
        if account is not None and study.randomness == "secret" and not plan.store.has(planned.graph.model.key):
            data: Dataset = study.data  # type: ignore[attr-defined]
            wanted.setdefault(data.population or unnamed(data.kind), []).append(account)
    if not wanted:
        return []
    from tasks.privacy.ledger.ledger import open_ledger

    ledger = open_ledger()
    return [_forecast(ledger.spent(population), accounts) for population, accounts in sorted(wanted.items())]


def _forecast(before: Spent, accounts: Sequence[Account]) -> str:
    said = f"ledger: population '{before.population}': so far {before.guarantee}"
    spent = before
    for number, account in enumerate(accounts):
        try:
            spent = spent.after(account)
        except UserError as error:
            return f"{said}; training {number + 1} of {len(accounts)} will be refused: {error}"
    return f"{said}; after the {counted(len(accounts), 'private training')} of this plan {spent.guarantee}"


def lifetime_rows(found: Collection[Lifetime]) -> tuple[Row, ...]:
    """``privacy/epsilon_lifetime`` for the parent run; of several populations each with its name."""
    return tuple(_row(lifetime, LIFETIME if len(found) == 1 else f"{LIFETIME}/{lifetime.population}") for lifetime in found)


def _trainings(plan: Plan, made: Collection[str]) -> list[_Training]:
    owing = [node for node in plan.graph if node.step.charge is not None and plan.store.has(node.key)]
    records: list[tuple[str, dict[str, Any]]] = [(node.key, plan.store.manifest(node.key)["record"].get("ledger") or {}) for node in owing]
    return [_Training(record["population"], key in made) for key, record in records if record]


def _lifetime(spent: Spent, trainings: list[_Training]) -> Lifetime:
    reused = sum(not training.made for training in trainings)
    said = f"Ledger: population '{spent.population}' over its lifetime: {spent.guarantee}, {counted(spent.trainings, 'private training')}."
    if spent.open:
        said += f" {spent.open} of them began and did not end; they count in full."
    if spent.uncovered and spent.mechanisms and spent.at is not None:
        said += f" The private trainings alone come to epsilon {rounded_up(spent.epsilon(spent.at))} at delta {rounded_up(spent.at)}."
    if spent.budget is not None:
        said += f" Of its budget of epsilon {spent.budget.epsilon:g} at delta {rounded_up(spent.budget.delta)}, {spent.left:.3g} is left."
    if reused:
        said += f" {counted(reused, 'training')} of this study {'was' if reused == 1 else 'were'} there already and spent nothing now."
    return Lifetime(population=spent.population, epsilon=spent.lifetime, delta=spent.at, trainings=spent.trainings, uncovered=spent.uncovered, sentence=said)


def _row(lifetime: Lifetime, name: str) -> Row:
    conditions = {"population": lifetime.population, "trainings": str(lifetime.trainings)}
    if lifetime.epsilon is None or lifetime.delta is None:
        return Row(name=name, value=None, status="undefined", reason=lifetime.sentence, conditions=conditions)
    return Row(name=name, value=lifetime.epsilon, direction="lower", lowest=0, conditions={**conditions, "delta": f"{lifetime.delta:g}"})
