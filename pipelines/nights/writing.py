"""A night in words and numbers: what the history keeps of it, and what the registry says of a model that it promoted."""

from __future__ import annotations

from pipelines.registering import Recorded
from specs.errors import one_line
from specs.schemas.retraining_audit import RetrainingAuditStudy
from tasks.comparison.comparison import Comparison
from tasks.comparison.history import BUDGET, LIFETIME
from tasks.comparison.results import CANDIDATE
from tasks.privacy.ledger.nights import Night
from tasks.privacy.ledger.spent import Spent


def numbers(comparison: Comparison, spent: Spent) -> dict[str, float]:
    """What the history draws: every number of the candidate, what its population has spent, and the budget."""
    values = comparison.arms.get(CANDIDATE, {})
    found = {metric: value.value for metric, value in values.items() if value.value is not None and "/by_group/" not in metric}
    told = {LIFETIME: spent.lifetime, BUDGET: None if spent.budget is None else spent.budget.epsilon}
    return found | {name: value for name, value in told.items() if value is not None}


def described(study: RetrainingAuditStudy, night: Night, chosen: Recorded) -> str:
    """What MLflow's page says of a version that a night promoted."""
    said = [f"Guarantee of its training: {study.guarantee()}."]
    said.append(f"Promoted by **{study.name}**, night {night.number}, on {night.snapshot}: {'; '.join(night.reasons)}. Data digest `{chosen.data_digest}`.")
    said += [f"Label: {one_line(str(label))}." for label in chosen.labels]
    said.append(
        "`privacy.json`, beside the weights, holds every condition of the guarantee; what the population spent over all nights is told by `assay ledger`."
    )
    return "\n\n".join(said)


def tagged(study: RetrainingAuditStudy, night: Night, chosen: Recorded) -> dict[str, str]:
    """What a list of versions shows."""
    return {
        "guarantee": study.guarantee(),
        "study": study.name,
        "night": str(night.number),
        "snapshot": night.snapshot,
        "data_digest": chosen.data_digest,
        "labels": ", ".join(sorted(label.rule.id for label in chosen.labels)) or "none",
    }
