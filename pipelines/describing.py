"""A plan as people and scripts read it: trials, steps, what the store has, seconds, labels, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.datarules import check_data, labels
from pipelines.lifetimes import forecasts
from pipelines.planning import Plan, PlannedTrial
from tasks.core.graph import Node
from tasks.runtime.devices import pool_size
from tasks.runtime.execution import durations


def seconds_left(nodes: Iterable[Node], known: Mapping[str, float], processes: int) -> float | None:
    """Estimated wall seconds for some nodes, from steps of the same shape made before; None where one was never made."""
    wanted = [known.get(node.shape) for node in nodes]
    if any(seconds is None for seconds in wanted):
        return None
    return sum(seconds for seconds in wanted if seconds is not None) / max(1, processes)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan in the words of the spec language."""
    missing = {node.key for node in plan.missing(verified=False)}
    known = durations(plan.store)
    checks = check_data(plan)
    return {
        "study": plan.loaded.study.name,
        "trials": [_trial(planned, missing, known) for planned in plan.trials],
        "refused": [{"trial": name, "rule": finding.rule.id, "reason": str(finding)} for name, finding in checks.refused.items()],
        "labels": list(labels(plan, checks)),
        "ledger": forecasts(plan),
    }


def _trial(planned: PlannedTrial, missing: set[str], known: Mapping[str, float]) -> dict[str, Any]:
    nodes = planned.graph.nodes()
    estimate = seconds_left([node for node in nodes if node.key in missing], known, 1)
    return {
        "arm": planned.trial.arm,
        "seed": planned.trial.seed,
        "key": planned.key,
        "seconds_estimate": None if estimate is None else round(estimate, 1),
        "steps": [{"name": node.step.name, "key": node.key, "reused": node.key not in missing} for node in nodes],
        "privacy": _privacy(planned),
    }


def _privacy(planned: PlannedTrial) -> dict[str, Any] | None:
    """What the trial will spend, known before it runs; None without privacy."""
    account = planned.trial.study.account()
    if account is None:
        return None
    found = account.record()
    names = ("epsilon", "delta", "unit", "adjacency", "sampler", "accountant", "noise_multiplier", "guarantee", "rate", "steps", "accountants", "agreement")
    return {name: found[name] for name in names}


def print_plan(plan: Plan) -> None:
    """The plan as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    missing = {node.key for node in plan.missing(verified=False)}
    known = durations(plan.store)
    title = f"{plan.loaded.study.name}: {len(plan.trials)} trials, {len(plan.graph.nodes)} steps"
    table = Table(title=title, title_justify="left")
    private = any(planned.trial.study.account() is not None for planned in plan.trials)
    for column in ("trial", *(("epsilon",) if private else ()), "steps", "in store", "to make", "seconds"):
        table.add_column(column, justify="left" if column == "trial" else "right")
    for planned in plan.trials:
        nodes = planned.graph.nodes()
        left = [node for node in nodes if node.key in missing]
        seconds = seconds_left(left, known, 1)
        spent = (_epsilon(planned),) if private else ()
        table.add_row(Text(planned.name), *spent, str(len(nodes)), str(len(nodes) - len(left)), str(len(left)), "?" if seconds is None else f"{seconds:.0f}")
    console.print(table)
    for arm, said in guarantees(plan).items():
        console.print(f"guarantee of {arm}: {said}", markup=False)
    for said in forecasts(plan):
        console.print(said, markup=False)
    console.print("steps of a trial: " + " -> ".join(dict.fromkeys(node.step.name for node in plan.trials[0].graph.nodes())), markup=False)
    for said in plan.said:
        console.print(said, markup=False)
    checks = check_data(plan)
    for label in labels(plan, checks):
        console.print(f"label: {label}", markup=False, style="yellow")
    for name, finding in checks.refused.items():
        console.print(f"refused: {name}: {finding}", markup=False, style="red")
    execution = plan.loaded.study.execution
    size = pool_size(execution.processes, execution.device, execution.processes_per_training)
    total = seconds_left([node for node in plan.graph if node.key in missing], known, size)
    console.print("to make: nothing, all is in the store" if not missing else f"to make: {len(missing)} steps, {_about(total)}")


def guarantees(plan: Plan) -> dict[str, str]:
    """What each private arm will promise, with who vouches for the number."""
    found = {planned.trial.arm: planned.trial.study.account() for planned in plan.trials}
    return {arm: f"{account.guarantee} ({account.reported}, {account.agreement})" for arm, account in found.items() if account is not None}


def _epsilon(planned: PlannedTrial) -> str:
    account = planned.trial.study.account()
    return "-" if account is None else f"{account.epsilon:.3f}"


def _about(seconds: float | None) -> str:
    return "time unknown until one trial of each arm ran on this machine" if seconds is None else f"about {seconds:.0f} s"
