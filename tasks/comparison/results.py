"""What a comparison is made from: the trials of a study and the facts about it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.comparison.claims import Claim
from tasks.comparison.comparison import StudyPrivacy
from tasks.comparison.gates import Gate
from tasks.core.measures import Row


@dataclass(frozen=True)
class ArmFacts:
    """An arm at one grid point.

    Args:
        name: ``eps-8[training.epochs=5]``.
        base: the arm as written, ``eps-8``.
        point: the grid point as text, empty without a grid; equal for arms at one point.
        guarantee: the guarantee tag of its trials.
    """

    name: str
    base: str
    point: str
    guarantee: str


@dataclass(frozen=True)
class StudyFacts:
    """A study as its comparison needs it.

    Args:
        baseline: the arm as written that the others are compared with, each at its own grid point.
        labels: rules that mark numbers, in words.
        about: other conditions of every number by name: versions, commit, data.
        study_privacy: what all private trainings spend together; None where there is none.
    """

    name: str
    question: str
    baseline: str
    arms: tuple[ArmFacts, ...]
    claims: tuple[Claim, ...] = ()
    gates: tuple[Gate, ...] = ()
    labels: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    study_privacy: StudyPrivacy | None = None

    def named(self, name: str) -> list[ArmFacts]:
        """The arms that a name in a claim or gate stands for: one, or an arm as written at every grid point."""
        exact = [arm for arm in self.arms if arm.name == name]
        return exact or [arm for arm in self.arms if arm.base == name]

    def baseline_of(self, arm: ArmFacts) -> ArmFacts | None:
        """The baseline at the same grid point; None for the baseline itself."""
        found = [other for other in self.arms if other.base == self.baseline and other.point == arm.point]
        return found[0] if found and found[0].name != arm.name else None


@dataclass(frozen=True)
class TrialResult:
    """One trial: an arm with one seed, its numbers, their courses while it trained, and where it is recorded."""

    arm: str
    seed: int
    rows: tuple[Row, ...]
    status: Literal["finished", "failed"]
    mlflow_run: str = ""
    courses: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
