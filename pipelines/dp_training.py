"""Kind dp-training: prepare -> train -> {utility, attacks, fairness}, once per trial, then the comparison.

The DAG itself is ``pipelines.dags.dp_training.trial_graph``; this is the Prefect flow around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import flow

from pipelines.outcome import Outcome
from pipelines.running import run_study
from specs.schemas.dp_training import DpTrainingStudy


@flow(name="dp-training", validate_parameters=False, persist_result=False)
def dp_training(study: Path | DpTrainingStudy, execution: Mapping[str, Any] | None = None, new: bool = False, quiet: bool = False) -> Outcome:
    """Run a study of kind dp-training from a file or an object. ``execution`` overrides the block of that name.

    Parameters are validated by the spec's own loader, whose errors say file, line and what to do.
    """
    return run_study(study, execution, new, quiet)
