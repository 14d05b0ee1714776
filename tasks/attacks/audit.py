"""Audits: a lower bound on the epsilon that a training really had, with the ceiling that it could have reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tasks.attacks.attack import Attack
from tasks.core.measures import InsertedRecords, Measures, Need, Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.attacks._audit_bounds import LowerBound


class Audit(Attack, ABC):
    """Base of the audits: models are trained exactly as the target, with records of which each is in or out by a fair coin. Who was in is guessed
    by what a model says of a record: by its loss, and for an intent by log odds less those that its label has on the other records.

    A bound holds at the confidence of the run: with k audits each is at 1 - (1 - confidence) / k, so that all hold together (Bonferroni). The released
    model is not touched; what is bounded is how it was trained.
    """

    needs_pools: ClassVar[bool] = False
    assumes: ClassVar[str] = ""
    """What is taken for granted beyond the coins, in a few words."""

    canaries: int = Field(default=1000, ge=1, le=100_000, description="Records made for the audit, in each model.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Of all audits of the run together.")
    family: int | None = Field(default=None, ge=1, description="How many bounds share the confidence; by default as many as the run has audits.")

    @property
    def trained(self) -> int:
        """How many models are trained for it."""
        return 1

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The models, and what they say of their records."""
        privacy = study.get("privacy") or {}
        by_user = privacy.get("kind") == "dp-fedavg" or (privacy.get("unit") or {}).get("kind") == "user"
        return (InsertedRecords(count=self.canaries, runs=self.trained, own_users=by_user),)

    @abstractmethod
    def bound(self, scores: NDArray[np.float64], included: NDArray[np.bool_], delta: float, confidence: float) -> LowerBound:
        """The bound from the score of each record, larger for likelier members, and whether it was one."""

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``epsilon_lower``, ``epsilon_ceiling``, and of a private target ``exceeds_claim``: 1 where the bound is above the epsilon that is claimed."""
        from tasks.attacks._audited import audited, claim_of, usual_delta

        scores, included = audited(needed, self.trained, report)
        claim = claim_of(target)
        delta, family = claim.delta if claim is not None else usual_delta(data), self.family or 1
        found = self.bound(scores, included, delta, 1 - (1 - self.confidence) / family)
        conditions = {
            "delta": f"{delta:g}",
            "unit": claim.unit if claim is not None else "example",
            "adjacency": "add-remove",
            "confidence": f"{self.confidence:g} over {family} audits",
            **({"assumes": self.assumes} if self.assumes else {}),
        }
        said = f"{found.right} of {found.guesses} guesses right, of {len(scores)} records"
        rows = [self._row("epsilon_lower", found.epsilon, found, conditions, said), self._row("epsilon_ceiling", found.ceiling, found, conditions, said)]
        if claim is not None:
            exceeds = float(found.epsilon > claim.epsilon)
            told = f"{said}; bound {found.epsilon:.3g}, claimed {claim.epsilon:.3g}"
            rows.append(self._row("exceeds_claim", exceeds, found, conditions, told).model_copy(update={"highest": 1.0}))
        return Measures(tuple(rows))

    def _row(self, name: str, value: float, found: LowerBound, conditions: dict[str, str], said: str) -> Row:
        return Row(
            name=self.metric("privacy", name),
            value=value,
            n=found.guesses,
            direction="none" if name.endswith("ceiling") else "lower",
            lowest=0,
            conditions=conditions,
            reason=said,
        )


def with_family(attacks: tuple[Attack, ...]) -> tuple[Attack, ...]:
    """The attacks of a run, in which each audit knows how many share the confidence. Raises ValueError where one is told fewer than there are."""
    audits = sum(isinstance(attack, Audit) for attack in attacks)
    found: list[Attack] = []
    for attack in attacks:
        if isinstance(attack, Audit) and attack.family is None:
            attack = attack.model_copy(update={"family": audits})
        elif isinstance(attack, Audit) and attack.family is not None and attack.family < audits:
            raise ValueError(f"{attack.kind}: family is {attack.family}, and the run has {audits} audits: leave it out, or count them all")
        found.append(attack)
    return tuple(found)
