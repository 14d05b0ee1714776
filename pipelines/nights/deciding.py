"""A night is decided: by its gates, once, in one transaction with the champion; then the registry, the history and whoever is told follow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.fanout import Failed
from pipelines.nights.champion import follow
from pipelines.nights.history import nights_of
from pipelines.nights.telling import tell
from pipelines.nights.writing import described, numbers, tagged
from pipelines.registering import Recorded
from specs.schemas.retraining_audit import RetrainingAuditStudy
from tasks.comparison.comparison import Comparison
from tasks.comparison.results import CANDIDATE, CHAMPION
from tasks.privacy.ledger.ledger import open_ledger
from tasks.privacy.ledger.nights import Decision, Night, Nights
from tasks.privacy.ledger.spent import NOT_BEGUN

if TYPE_CHECKING:
    from pipelines.outcome import Submission


@dataclass(frozen=True)
class Deciding:
    """What a retraining audit makes of its comparison.

    Args:
        night: what tells this night from every other.
        notes: what people must know of it.
    """

    night: str
    notes: tuple[str, ...]

    def __call__(
        self, submission: Submission, comparison: Comparison, recorded: Sequence[Recorded], failed: Sequence[Failed]
    ) -> tuple[Comparison, Sequence[Failed]]:
        """The comparison with the history in it, tonight's decision last. Raises ChampionMoved."""
        study = submission.plan.loaded.study
        assert isinstance(study, RetrainingAuditStudy) and study.night is not None
        failed = _that_count(submission, failed)
        decision, reasons = decided(submission, comparison, failed)
        planned = next(planned for planned in submission.plan.trials if planned.trial.arm == CANDIDATE)
        ledger = open_ledger()
        nights = Nights(ledger.engine)
        known = nights.find(study.name, self.night)
        night = Night(
            study=study.name,
            night=self.night,
            snapshot=study.night.snapshot,
            decision=decision,
            reasons=reasons,
            notes=self.notes,
            numbers=numbers(comparison, ledger.spent(study.population)),
            spec=json.dumps(study.model_dump(mode="json")),
            run=submission.trial_run(planned),
        )
        night = nights.decide(night, study.champion.name, study.night.expected, planned.graph.model.key)
        champion = nights.champion(study.champion.name)
        if night.decision == "promoted" and champion is not None and champion.run == night.run:
            chosen = next(trial for trial in recorded if trial.planned is planned)
            follow(champion, described(study, night, chosen), tagged(study, night, chosen))
        if known is None or known.decision == "failed":
            tell(study, night)
        tags = {"night": str(night.number), "decision": night.decision, "reasons": "; ".join(night.reasons)[:500], "snapshot": night.snapshot}
        submission.recorder.set_tags(submission.parent, tags)
        return comparison.model_copy(update={"nights": nights_of(study.name)}), failed


def decided(submission: Submission, comparison: Comparison, failed: Sequence[Failed]) -> tuple[Decision, tuple[str, ...]]:
    """What becomes of the candidate, and why."""
    candidate = next(planned for planned in submission.plan.trials if planned.trial.arm == CANDIDATE)
    keys = {node.key for node in candidate.graph.nodes()}
    lost = [problem for problem in failed if problem.node.key in keys]
    if lost:
        reasons = tuple(dict.fromkeys(problem.reason for problem in lost if problem.root)) or (lost[0].reason,)
        before = candidate.name in submission.checks.refused or all(NOT_BEGUN in reason for reason in reasons)
        return "refused" if before else "failed", reasons
    broken = tuple(gate.sentence.removeprefix("Failed: ") for gate in comparison.gates if not gate.passed)
    if broken:
        return "refused", broken
    return "promoted", (f"all {len(comparison.gates)} gates passed" if len(comparison.gates) > 1 else "its gate passed",)


def _that_count(submission: Submission, failed: Sequence[Failed]) -> list[Failed]:
    """Without a champion that the audit lets pass where it cannot be compared with."""
    study = submission.plan.loaded.study
    assert isinstance(study, RetrainingAuditStudy)
    champion = next((planned for planned in submission.plan.trials if planned.trial.arm == CHAMPION), None)
    if champion is None or study.champion.incomparable == "refuse" or champion.name not in submission.checks.refused:
        return list(failed)
    return [problem for problem in failed if problem.node.key != champion.graph.model.key]
