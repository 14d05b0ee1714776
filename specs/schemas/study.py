"""What every kind of study has: a name and a question, a sweep, gates, claims, and how to run it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from tasks.comparison.claims import Claim
from tasks.comparison.gates import Gate
from tasks.comparison.results import MetricFacts
from tasks.core.fingerprint import digest
from tasks.privacy.account import Account

__all__ = ["Claim", "Execution", "Gate", "RegisterModel", "Study", "Sweep", "study_key"]

MAIN_ARM = "main"


def _fits(pattern: str, words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {words}")
        return text

    return check


def _text(pattern: str, words: str) -> tuple[AfterValidator, WithJsonSchema]:
    return AfterValidator(_fits(pattern, words)), WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


STUDY_NAME = "[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?"
StudyName = Annotated[str, *_text(STUDY_NAME, "1 to 64 of a-z, 0-9 and '-', not beginning or ending with '-'")]
ArmName = Annotated[str, *_text("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of 1 to 64 letters, digits, '.', '_' and '-'")]
ModelName = Annotated[str, *_text("[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "a name of 1 to 128 letters, digits, '.', '_' and '-'")]
Device = Annotated[str, *_text("auto|cpu|mps|cuda(:[0-9]+)?", "auto, cpu, mps, cuda or cuda:N")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Block(BaseModel):
    """A plain block of a spec: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, protected_namespaces=())


class Sweep(Block):
    """What varies: arms (named sets of changes by dotted path), a grid crossed with them, and seeds."""

    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1, description="One trial per arm and seed; claims are tested from five seeds on.")
    baseline: str | None = Field(default=None, description="The arm that the others are compared with; the first one where it is not named.")
    arms: dict[ArmName, dict[str, JsonValue] | None] = Field(
        default={},
        description="Name to changes by dotted path. A value with a kind replaces a component, one without is merged, null removes the key.",
    )
    grid: dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]] = Field(
        default={}, description="Dotted path to a list of values, crossed with the arms and named arm[path=value]."
    )

    @property
    def arm_names(self) -> tuple[str, ...]:
        """The arms as written, without grid points; ``main`` where there are none."""
        return tuple(self.arms) or (MAIN_ARM,)

    @property
    def baseline_arm(self) -> str:
        """The arm that the others are compared with."""
        return self.baseline or self.arm_names[0]


class RegisterModel(Block):
    """Which model becomes a version of a registered model once the study is compared."""

    name: ModelName = Field(description="Name of the registered model: letters, digits, '.', '_' and '-'.")
    arm: str | None = Field(
        default=None,
        description="The arm whose best seed is registered, by the first utility metric; without it the best of all arms, which is seldom a private one.",
    )


class Execution(Block):
    """How a study runs. It enters no key; the command line may override it.

    The number of processes changes no result. Another device, physical batch size or number of processes per training changes
    rounding and dropout masks, not what is computed; each model artifact records them.
    """

    device: Device = Field(default="auto", description="auto, cpu, mps, cuda or cuda:N.")
    processes: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(default="auto", description="Steps that run side by side.")
    processes_per_training: int = Field(
        default=1, ge=1, le=64, description="Processes that share each training's batches, each on a GPU of its own or on a thread of the processor."
    )
    runner: Literal["processes", "work-pool"] = Field(
        default="processes", description="processes: steps on this machine; work-pool: each trial as a flow run that a worker picks up."
    )
    physical_batch_size: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(default="auto", description="The most examples held on a device at once.")
    log_models: Literal["all", "best", "none"] = Field(default="all", description="Which trials log their model artifact to their run.")
    register_model: RegisterModel | None = Field(default=None, description="Register the best model once the study is compared; nothing without it.")


class Study(Block):
    """One YAML file: a question, and everything that decides its answer."""

    has_champion: ClassVar[bool] = False
    """Whether a gate of this kind of study may compare with a registered champion."""

    facts_from: ClassVar[Mapping[str, str]] = {}
    """Blocks that rules know by another name: that name, and this kind's own."""

    kind: str
    name: StudyName = Field(description="Name of the experiment: a-z, 0-9 and '-'.")
    version: int = Field(default=1, ge=1, description="Raise it when the meaning of the study changes.")
    question: str = Field(default="", max_length=2000, description="What the study asks, in one sentence.")
    randomness: Literal["reproducible", "secret"] = Field(
        default="reproducible", description="reproducible follows from the seed; secret draws noise, sampling and cohorts from the operating system."
    )
    sweep: Sweep = Field(default_factory=Sweep, description="What varies.")
    gates: tuple[Gate, ...] = Field(default=(), description="Conditions that fail the run where they do not hold.")
    claims: tuple[Claim, ...] = Field(default=(), description="Statements that the report answers in words, with intervals.")
    execution: Execution = Field(default_factory=Execution, description="How to run; changes no result.")

    @property
    def is_champion(self) -> bool:
        """Whether this is the trial of a model in use, which is only measured."""
        return False

    def facts(self) -> dict[str, Any]:
        """What soundness rules look at: the study as plain values, its blocks under the names that rules know."""
        values: dict[str, Any] = self.model_dump(mode="json")
        return {**values, **{known: values[own] for known, own in self.facts_from.items()}}

    def place_of(self, path: str) -> tuple[str, ...]:
        """The path of the spec that a rule's dotted path means."""
        first, *rest = path.split(".")
        return (self.facts_from.get(first, first), *rest)

    def metrics(self) -> tuple[str, ...]:
        """The metric names, or their beginnings, that each trial of this study records."""
        return ()

    def account(self) -> Account | None:
        """What a trial spends; None without privacy."""
        return None

    def guarantee(self) -> str:
        """The guarantee tag of a trial, with its conditions; ``none`` without privacy."""
        return "none"

    def unfit(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Path and message of what its kind does not allow of blocks that no trial sees: sweep, gates, claims."""
        yield from ()

    def apart(self, **changes: Any) -> Self:
        """The study for models that are trained to attack or audit its own and are never released: nothing secret is used up, and nobody is charged.

        What their numbers say of the records stands outside epsilon, as every attack's does (NIGHT-03).
        """
        data: Any = getattr(self, "data")  # noqa: B009 - a block of every kind that trains on one data set
        return self.model_copy(update={"randomness": "reproducible", "data": data.model_copy(update={"population": None}), **changes})

    def submission_key(self) -> str:
        """What a submission with secret randomness is of: the same study goes on with the trainings that it began."""
        return study_key(self)

    def family(self) -> str:
        """Of a trial, where arms are models: which models are alike; empty elsewhere."""
        return ""

    def headlines(self) -> Mapping[str, MetricFacts]:
        """The metrics that take part in a correlation over arms, by name of their rows."""
        return {}

    def summary(self) -> str:
        """What a trial does, in a few words."""
        return self.kind


def study_key(study: Study) -> str:
    """Identity of a study: the digest of its resolved spec without ``execution``, which changes no result."""
    resolved: dict[str, Any] = study.model_dump(mode="json", exclude={"execution"})
    return digest({**resolved, "baseline": study.sweep.baseline_arm})
