"""Kind fairness-evaluation: {load, or prepare -> train} -> metrics, once per model and seed, then the comparison and the correlation of metrics.

The DAG itself is ``pipelines.dags.fairness_evaluation.trial_graph``; these are the Prefect flows around it.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow

from pipelines.flows import SETTINGS, TRIAL_SETTINGS, run_study
from pipelines.parameters import execution_form, study_form
from pipelines.trials import run_trial

KIND = "fairness-evaluation"


@flow(name=KIND, **SETTINGS)
def fairness_evaluation(study: Annotated[Any, study_form(KIND)], execution: Annotated[Any, execution_form()] = None, new: bool = False) -> State[Any]:
    """Measure many models by many fairness metrics, and correlate the metrics over the models.

    Args:
        study: A study's YAML file below the worker's ASSAY_HOME, e.g. specs/fairness_evaluation/smoke.yaml, or the study itself.
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
