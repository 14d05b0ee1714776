"""The best trial of a study, and its model as a version of a registered model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.planning import Plan, PlannedTrial
from specs.errors import one_line
from tasks.comparison.comparison import DELTA, EPSILON, Comparison
from tasks.comparison.conditions import unlike
from tasks.comparison.guarantees import SIMULATED, SIMULATED_NOTE
from tasks.comparison.numbers import number
from tasks.core.measures import Row
from tasks.core.rules import Finding
from tasks.runtime.mlflow_.registry import NewVersion, register, version_of


@dataclass(frozen=True)
class Recorded:
    """A trial that finished: its run, its numbers by name, the facts of its data, and the rules that mark its numbers."""

    planned: PlannedTrial
    run: str
    rows: Mapping[str, Row]
    data: Mapping[str, Any]
    labels: tuple[Finding, ...]

    @property
    def data_digest(self) -> str:
        """That of all its data."""
        return str(self.data["digest"])


@dataclass(frozen=True)
class Choice:
    """The best of some trials by one number, and how many had it."""

    trial: Recorded
    row: Row
    among: int

    @property
    def words(self) -> str:
        """How it was chosen."""
        if self.among == 1:
            return f"the only trial with a {self.row.name}, {number(self.row.value)}"
        end = "highest" if self.row.direction == "higher" else "lowest"
        return f"the {end} {self.row.name} of {self.among} trials, {number(self.row.value)}"


@dataclass(frozen=True)
class Registration:
    """What came of the wish to register a model, in a sentence; without a version there is none, and the sentence says why."""

    sentence: str
    version: str | None = None


def best(trials: Sequence[Recorded]) -> Choice | str:
    """The best trial by the first utility metric, the first of several alike; or why there is none."""
    rows = [row for trial in trials for row in trial.rows.values() if row.name.startswith("utility/") and row.direction != "none"]
    leading = next((row for row in rows if row.value is not None), None)
    if leading is None:
        return "no finished trial has a utility metric"
    scored = [(trial, row) for trial in trials if (row := trial.rows.get(leading.name)) is not None and row.value is not None]
    differing = unlike([row.conditions for _, row in scored])
    if differing:
        return f"{leading.name} was measured under unlike conditions ({', '.join(differing)}), so none is the best"
    sign = 1.0 if leading.direction == "higher" else -1.0
    trial, row = max(scored, key=lambda pair: sign * float(pair[1].value or 0.0))
    return Choice(trial, row, len(scored))


def register_best(plan: Plan, trials: Iterable[Recorded], comparison: Comparison, log_model: Callable[[PlannedTrial], None]) -> Registration | None:
    """Register the model that the study's ``execution`` asks for; None where it asks for none. A model whose arm fails a gate is not registered."""
    wanted = plan.loaded.study.execution.register_model
    if wanted is None:
        return None
    chosen = best([trial for trial in trials if wanted.arm in (None, trial.planned.trial.arm, trial.planned.trial.base_arm)])
    if isinstance(chosen, str):
        return Registration(f"not registered: {wanted.name}: {chosen}")
    planned, run, key = chosen.trial.planned, chosen.trial.run, chosen.trial.planned.graph.model.key
    lost = [gate.sentence for gate in comparison.gates if gate.arm == planned.trial.arm and not gate.passed]
    if lost:
        return Registration(f"not registered: {wanted.name}: the best trial, {planned.name}, is of an arm that a gate fails ({lost[0]})")
    version = version_of(wanted.name, run, key)
    if version is None:
        log_model(planned)
        version = register(NewVersion(wanted.name, run, key, _description(plan, chosen, comparison), _tags(plan, chosen, comparison)))
    return Registration(f"registered: {wanted.name} version {version} ({planned.name}, {planned.trial.study.guarantee()})", version)


def _description(plan: Plan, chosen: Choice, comparison: Comparison) -> str:
    trial, study = chosen.trial.planned.trial, plan.loaded.study
    guarantee = trial.study.guarantee()
    said = [f"Guarantee: {guarantee}." + (f" ({SIMULATED_NOTE}.)" if guarantee.startswith(SIMULATED) else "")]
    said.append(f"Trained by study **{study.name}**, arm `{trial.arm}`, seed {trial.seed}: {trial.study.summary()}. Data digest `{chosen.trial.data_digest}`.")
    said.append(f"Chosen as {chosen.words}, measured on test records, which the guarantee does not cover." + _price(chosen, comparison))
    said += [f"Label: {one_line(str(label))}." for label in chosen.trial.labels]
    said.append("`privacy.json`, beside the weights, holds the guarantee with every condition of it.")
    return "\n\n".join(said)


def _price(chosen: Choice, comparison: Comparison) -> str:
    """That a choice among several trainings is more than one training says, and what covers it."""
    if chosen.among == 1:
        return ""
    spent = comparison.study_privacy
    return " The guarantee is that of one training, the choice is not in it." + (f" {spent.sentence}" if spent is not None else "")


def _tags(plan: Plan, chosen: Choice, comparison: Comparison) -> dict[str, str]:
    """What a list of versions shows; a number of privacy only where one is true."""
    trial, spent = chosen.trial.planned.trial, comparison.study_privacy
    numbers = {name.removeprefix("privacy/"): row.value for name in (EPSILON, DELTA) if (row := chosen.trial.rows.get(name)) is not None}
    if spent is not None and chosen.among > 1:
        numbers["epsilon_study"] = spent.epsilon
    return {
        "guarantee": trial.study.guarantee(),
        "study": plan.loaded.study.name,
        "study_key": plan.study_key,
        "arm": trial.arm,
        "seed": str(trial.seed),
        "data_digest": chosen.trial.data_digest,
        "labels": ", ".join(sorted(label.rule.id for label in chosen.trial.labels)) or "none",
        "chosen": chosen.words,
        **{name: repr(value) for name, value in numbers.items() if value is not None},
    }
