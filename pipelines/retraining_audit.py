"""Kind retraining-audit: new data -> reserve -> train -> commit -> {utility, attacks, fairness}, beside the champion on the same data -> gates -> registry.

The DAG itself is ``pipelines.dags.retraining_audit.trial_graph``; how a night begins and is decided is in ``pipelines.nights``; these are the Prefect
flows around it.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow

from pipelines.flows import SETTINGS, TRIAL_SETTINGS, run_study
from pipelines.parameters import execution_form, study_form
from pipelines.trials import run_trial

KIND = "retraining-audit"


@flow(name=KIND, **SETTINGS)
def retraining_audit(study: Annotated[Any, study_form(KIND)], execution: Annotated[Any, execution_form()] = None, new: bool = False) -> State[Any]:
    """Retrain on the newest data, audit, compare with the champion, and promote or refuse.

    Args:
        study: An audit's YAML file below the worker's ASSAY_HOME, e.g. specs/retraining_audit/assistant.yaml, or the audit itself.
        execution: How to run; overrides the study's own block and changes no result.
        new: Train and judge anew also where the data has not changed.
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
