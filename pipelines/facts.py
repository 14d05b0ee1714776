"""A study as its comparison needs it: arms, claims, gates, labels, what it spent, and what all its numbers share."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.datarules import DataChecks, labels
from pipelines.lifetimes import lifetimes
from pipelines.planning import Plan
from pipelines.studyprivacy import study_privacy
from specs.sweep import Trial
from tasks.comparison.results import CHAMPION, ArmFacts, Champion, StudyFacts
from tasks.core.fingerprint import library_versions

UNKNOWN = "unknown"


def study_facts(plan: Plan, checks: DataChecks, digests: Iterable[str], run: str, made: Collection[str]) -> StudyFacts:
    """The facts of a planned study.

    Args:
        checks: the rules on its data.
        digests: of the data that its finished trials used.
        run: its parent run.
        made: the keys of what this submission made.
    """
    study = plan.loaded.study
    trials = {f"trials of {planned.trial.arm}": planned.trial.study.summary() for planned in plan.trials}
    about = {
        **trials,
        "data digest": ", ".join(sorted(set(digests))),
        "study key": plan.study_key,
        "MLflow run of the study": run,
        "git commit": commit(),
        **{f"version of {name}": text for name, text in library_versions().items()},
    }
    return StudyFacts(
        name=study.name,
        question=study.question,
        baseline=study.sweep.baseline_arm,
        arms=tuple(dict.fromkeys(_arm(planned.trial) for planned in plan.trials)),
        claims=study.claims,
        gates=study.gates,
        labels=labels(plan, checks),
        about=about,
        study_privacy=study_privacy(plan),
        lifetimes=lifetimes(plan, made),
        correlation=getattr(study, "correlation", None),
        metrics=study.headlines(),
        champion=_champion(plan, checks) if study.has_champion else None,
    )


def _champion(plan: Plan, checks: DataChecks) -> Champion:
    """The champion of an audit, or why its candidate is compared with none."""
    study: Any = plan.loaded.study
    incumbent = next((planned for planned in plan.trials if planned.trial.study.is_champion), None)
    unlike = incumbent is not None and incumbent.name in checks.refused
    return Champion(CHAMPION, study.night.absent or ("it knows other labels than the data" if unlike else ""))


@cache
def commit() -> str:
    """The git commit of the code, or 'unknown' outside a checkout."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or UNKNOWN


def _arm(trial: Trial) -> ArmFacts:
    return ArmFacts(trial.arm, trial.base_arm, trial.arm.removeprefix(trial.base_arm), trial.study.guarantee(), trial.study.family())
