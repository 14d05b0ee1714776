"""Kind privacy-audit: prepare, insert canaries -> train, or load -> {attacks and audits, utility, fairness}, once per trial, then the comparison.

The DAG itself is ``pipelines.dags.privacy_audit.trial_graph``; these are the Prefect flows around it.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow

from pipelines.flows import SETTINGS, TRIAL_SETTINGS, run_study
from pipelines.parameters import execution_form, study_form
from pipelines.trials import run_trial

KIND = "privacy-audit"


@flow(name=KIND, **SETTINGS)
def privacy_audit(study: Annotated[Any, study_form(KIND)], execution: Annotated[Any, execution_form()] = None, new: bool = False) -> State[Any]:
    """Attack and audit models: what they leak of the records they were trained on, beside what they are good for.

    Args:
        study: A study's YAML file below the worker's ASSAY_HOME, e.g. specs/quickstart.yaml, or the study itself.
        execution: How to run; overrides the study's own block and changes no result.
        new: Record a new submission even where this study is finished.
    """
    return run_study(KIND, study, execution, new)


@flow(name=KIND, **TRIAL_SETTINGS)
def trial(study: dict[str, Any], arm: str, seed: int, key: str, mlflow_run: str, submission: str | None = None) -> State[Any]:
    """One trial of a study, sent here by its coordinator.

    Args:
        study: The trial as a study of its own.
        arm: Name of the arm.
        seed: Seed of the trial.
        key: Identity of the work as the coordinator planned it; a worker of another version refuses.
        mlflow_run: The trial's MLflow run, to which series are streamed.
        submission: The submission of a study with secret randomness.
    """
    return run_trial(study, arm, seed, key, mlflow_run, submission)
