"""What came of a study in a line, and where to look."""

from __future__ import annotations

from pipelines.outcome import Outcome
from pipelines.services.state import running
from tasks.core.places import tracking_uri
from tasks.runtime.mlflow_.client import open_client

MOST_REASONS = 3
TRAINING = "?workflowType=machine_learning"
"""Without it MLflow opens on its page for language-model applications."""


def headline(outcome: Outcome) -> str:
    """One line: what failed and why, else how many trials and what became of claims and gates."""
    comparison = outcome.comparison
    failed = sum(trial.status == "failed" for trial in comparison.trials)
    said = []
    if comparison.nights:
        night = comparison.nights[-1]
        return f"night {night.number} ({night.snapshot}): {night.decision}: {'; '.join(night.reasons)}"
    if outcome.failed:
        reasons = dict.fromkeys(f"{problem.node.label}: {problem.reason}" for problem in outcome.failed if problem.root)
        said.append(f"{failed} of {len(comparison.trials)} trials failed: {'; '.join(list(reasons)[:MOST_REASONS])}")
    said += [gate.sentence for gate in comparison.gates if not gate.passed]
    registered = outcome.registered
    if registered is not None and registered.version is None:
        said.append(registered.sentence)
    if said:
        return "; ".join(said)
    claims = [f"{answer.id}: {answer.verdict}" for answer in comparison.claims]
    passed = [f"{len(comparison.gates)} gates passed"] if comparison.gates else []
    return "; ".join([f"{len(comparison.trials)} trials", *claims, *passed, *([registered.sentence] if registered is not None else [])])


def links(outcome: Outcome) -> dict[str, str]:
    """Addresses in the MLflow page by what they show; none where no page is known."""
    page = mlflow_page()
    if page is None:
        return {}
    experiment = open_client().get_run(outcome.mlflow_run).info.experiment_id
    run = f"{page}/#/experiments/{experiment}/runs/{outcome.mlflow_run}"
    return {"MLflow run": run + TRAINING, "Report": f"{run}/artifacts/comparison/report.html{TRAINING}"}


def mlflow_page() -> str | None:
    """Where the MLflow page of the records is: the tracking server, or the page that `assay up` serves."""
    uri = tracking_uri()
    if uri.startswith(("http://", "https://")):
        return uri.rstrip("/")
    up = running()
    return up.mlflow_page if up is not None else None
