"""What a comparison is made from: the trials of a study and the facts about it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.comparison.claims import Claim
from tasks.comparison.comparison import Lifetime, StudyPrivacy
from tasks.comparison.correlation import Alignment, Correlation, Side
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
        family: models that are alike, where arms are models; empty where that is not known.
    """

    name: str
    base: str
    point: str
    guarantee: str
    family: str = ""


@dataclass(frozen=True)
class MetricFacts:
    """What a headline metric stands for in a correlation, beside what its rows say.

    Args:
        side: whether it judges a representation (intrinsic) or a task's answers (extrinsic).
        variant: as it is written in the study, or its aligned form.
        pair: the name that the two forms share, which is the original's; empty: its own.
    """

    side: Side
    variant: Alignment = "original"
    pair: str = ""


CANDIDATE, CHAMPION = "candidate", "champion"
"""The arms of a night of a retraining audit."""


@dataclass(frozen=True)
class Champion:
    """The model in use, with which gates compare.

    Args:
        arm: that measures it.
        absent: why there is none to compare with, where gates then are about the candidate alone; empty where there is one.
    """

    arm: str
    absent: str = ""


@dataclass(frozen=True)
class StudyFacts:
    """A study as its comparison needs it.

    Args:
        baseline: the arm as written that the others are compared with, each at its own grid point.
        labels: rules that mark numbers, in words.
        about: other conditions of every number by name: versions, commit, data.
        study_privacy: what all private trainings spend together; None where there is none.
        lifetimes: of the populations that it trained on, as the ledger holds them.
        correlation: what is asked of the agreement of metrics over arms, which then are models; None where nothing is.
        metrics: by the name of its rows, each metric that takes part in it.
        champion: None for a kind of study that has none.
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
    lifetimes: tuple[Lifetime, ...] = ()
    correlation: Correlation | None = None
    metrics: Mapping[str, MetricFacts] = field(default_factory=dict)
    champion: Champion | None = None

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
    """One trial: an arm with one seed, its numbers, their courses while it trained, and where it is recorded.

    ``items`` are, by the name that begins a measurement's metrics (``fairness/stereoset``), its columns over items: ``id``, numbers, and
    ``cluster`` where items are drawn in groups. They are needed for differences over the same items alone.
    ``samples`` are, by the same names, texts that its model wrote, for people to read: ``id``, ``group``, ``prompt`` and ``text``. A model of private data
    has none.
    """

    arm: str
    seed: int
    rows: tuple[Row, ...]
    status: Literal["finished", "failed"]
    mlflow_run: str = ""
    courses: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    samples: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
