"""What MLflow's page says of a study and of a trial, in words. No record of the data is quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from pipelines.planning import Plan, PlannedTrial
from specs.errors import one_line
from tasks.comparison.comparison import Comparison
from tasks.comparison.guarantees import SIMULATED, SIMULATED_NOTE
from tasks.core.measures import Row
from tasks.core.rules import Finding

LONGEST, LONGEST_VALUE, LONGEST_TAG = 7000, 80, 500
"""Characters of a description (MLflow cuts at 8,000), of a changed value in it, and of a tag that a list shows."""
MOST_NIGHTS = 7
NO_GROUPS = "the data has no groups"
REPORT = "comparison/report.html"
REST = "The rest stands in the report."


def study_before(plan: Plan) -> str:
    """A study that begins: its question and its arms."""
    return _within([*_question(plan), _trials(plan), "", *_arms(plan)])


def study_after(plan: Plan, comparison: Comparison, registered: str | None) -> str:
    """A study that was compared: what was asked and answered, what it spent, where to look, and its arms."""
    spent = comparison.study_privacy
    said = [
        *_question(plan),
        *_nights(comparison),
        *_answers(comparison),
        "",
        *([spent.sentence, ""] if spent is not None else []),
        *(line for lifetime in comparison.lifetimes for line in (lifetime.sentence, "")),
        *([f"{registered[0].upper()}{one_line(registered, LONGEST_TAG)[1:]}.", ""] if registered else []),
        f"The report, with every number and its conditions, is `{REPORT}` among the artifacts; its plots stand beside it.",
        "",
        _trials(plan),
        "",
        *_arms(plan),
    ]
    return _within(said)


def trial(plan: Plan, planned: PlannedTrial, labels: Iterable[Finding], rows: Sequence[Row] = (), failure: str = "") -> str:
    """A trial: what its arm changes, its guarantee, what marks its numbers, and what was not measured."""
    study = planned.trial.study
    guarantee = study.guarantee()
    said = [f"Arm {_code(planned.trial.arm)}, seed {planned.trial.seed} of study {study.name}: {study.summary()}.", ""]
    said += [f"**Failed**: {one_line(failure, LONGEST_TAG)}", ""] if failure else []
    said.append(f"- Changes: {_changes(plan, planned)}.")
    said.append(f"- Guarantee: {guarantee}." + (f" ({SIMULATED_NOTE}.)" if guarantee.startswith(SIMULATED) else ""))
    said += [f"- Label: {one_line(str(label))}" for label in labels]
    said += [f"- Not measured: {name}, {reason}." for name, reason in left_out(study).items()]
    said += [f"- Not measured: {_code(row.name)}, {row.status.replace('_', ' ')}: {one_line(row.reason or '')}." for row in rows if row.value is None]
    return _within(said)


def left_out(study: Any) -> dict[str, str]:
    """The families that a study measures nothing of, with the reason."""
    data = getattr(study, "data", None)
    reasons = {
        "attacks": "no non-members are held out (data.attack_holdout)" if not getattr(data, "attack_holdout", 1) else "none is asked for",
        "fairness": NO_GROUPS if not getattr(data, "has_groups", True) else "none is asked for",
    }
    return {name: reason for name, reason in reasons.items() if not getattr(study, name, ())}


def summary_tags(comparison: Comparison) -> dict[str, str]:
    """What is compared in a list of studies: how many trials finished, and what became of claims and gates."""
    finished = sum(found.status == "finished" for found in comparison.trials)
    passed = sum(gate.passed for gate in comparison.gates)
    tags = {
        "trials": f"{finished} of {len(comparison.trials)} finished",
        "verdicts": ", ".join(f"{answer.id}: {answer.verdict}" for answer in comparison.claims),
        "gates": f"{passed} of {len(comparison.gates)} passed" if comparison.gates else "",
    }
    return {name: one_line(text, LONGEST_TAG) for name, text in tags.items() if text}


def study_tags(plan: Plan) -> dict[str, str]:
    """What is compared in a list of studies from the beginning: arms, seeds, and the guarantees of the arms."""
    guarantees: dict[str, list[str]] = {}
    for planned in plan.trials:
        guarantees.setdefault(planned.trial.study.guarantee(), []).append(planned.trial.arm)
    said = (f"{', '.join(dict.fromkeys(arms))}: {guarantee}" for guarantee, arms in guarantees.items())
    tags = {"arms": ", ".join(_arm_names(plan)), "seeds": ", ".join(map(str, _seeds(plan))), "guarantees": "; ".join(said)}
    return {name: one_line(text, LONGEST_TAG) for name, text in tags.items()}


def _question(plan: Plan) -> list[str]:
    study = plan.loaded.study
    return [f"**{one_line(study.question, 2000)}**", ""] if study.question else []


def _trials(plan: Plan) -> str:
    arms, seeds = list(_arm_names(plan)), _seeds(plan)
    summaries = ", ".join(dict.fromkeys(planned.trial.study.summary() for planned in plan.trials))
    counted = f"{_many(len(plan.trials), 'trial')}: {_many(len(arms), 'arm')}, {'seed' if len(seeds) == 1 else 'seeds'}"
    return f"{counted} {one_line(', '.join(map(str, seeds)), LONGEST_TAG)}; {one_line(summaries, LONGEST_TAG)}."


def _arms(plan: Plan) -> list[str]:
    """A line for each arm, and what a simulated guarantee is."""
    arms, baseline = _arm_names(plan), plan.loaded.study.sweep.baseline_arm
    guarantees = {arm: planned.trial.study.guarantee() for arm, planned in arms.items()}
    said = []
    for arm, planned in arms.items():
        mark = " (baseline)" if planned.trial.base_arm == baseline and len(arms) > 1 else ""
        said.append(f"- {_code(arm)}{mark} changes {_changes(plan, planned)}. Guarantee: {guarantees[arm]}.")
    simulated = any(guarantee.startswith(SIMULATED) for guarantee in guarantees.values())
    return [*said, "", f"({SIMULATED_NOTE}.)"] if simulated else said


def _changes(plan: Plan, planned: PlannedTrial) -> str:
    """What an arm at its grid point changes in the study as written: ``privacy.target_epsilon: 1``."""
    trial = planned.trial
    found = {**(plan.loaded.study.sweep.arms.get(trial.base_arm) or {}), **trial.point}
    return ", ".join(_code(f"{path}: {_flow(value)}") for path, value in found.items()) or "nothing in the study as written"


def _answers(comparison: Comparison) -> list[str]:
    claims = ((answer.verdict.capitalize(), one_line(answer.says).rstrip("."), answer.sentence.partition(": ")[2]) for answer in comparison.claims)
    said = [f"- **{verdict}**: {says}. Found: {one_line(found, 1000)}" for verdict, says, found in claims]
    said += [f"- Gate: {one_line(gate.sentence, 1000)}" for gate in comparison.gates]
    lost = [f"{found.arm} seed {found.seed}" for found in comparison.trials if found.status == "failed"]
    said += [f"- **Failed**: {one_line(', '.join(lost), LONGEST_TAG)}. Their numbers are missing."] if lost else []
    return said or ([] if comparison.nights else ["The study makes no claim: its numbers stand for themselves."])


def _nights(comparison: Comparison) -> list[str]:
    """The history of an audit, the newest night first."""
    if not comparison.nights:
        return []
    rows = [
        f"| {night.number} | {one_line(night.snapshot, LONGEST_VALUE)} | **{night.decision}** | {one_line('; '.join(night.reasons), LONGEST_TAG)} |"
        for night in reversed(comparison.nights[-MOST_NIGHTS:])
    ]
    notes = [f"- {one_line(note, LONGEST_TAG)}" for note in comparison.nights[-1].notes]
    return ["| night | data | decision | why |", "| --- | --- | --- | --- |", *rows, "", *notes, *([""] if notes else [])]


def _arm_names(plan: Plan) -> Mapping[str, PlannedTrial]:
    """Each arm with its first trial, in order."""
    found: dict[str, PlannedTrial] = {}
    for planned in plan.trials:
        found.setdefault(planned.trial.arm, planned)
    return found


def _seeds(plan: Plan) -> list[int]:
    return sorted({planned.trial.seed for planned in plan.trials})


def _flow(value: Any) -> str:
    """A value as it is written in YAML, on one line and short."""
    return one_line(yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).removesuffix("...\n"), LONGEST_VALUE)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def _within(lines: Sequence[str]) -> str:
    """The lines as one text; what would be too long is left to the report."""
    kept: list[str] = []
    left = LONGEST - len(REST)
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return "\n".join([*kept, "", REST])
        kept.append(line)
    return "\n".join(kept)
