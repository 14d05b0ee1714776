"""Kind ``retraining-audit``: every night a model is retrained on new data, audited, compared with the champion, and promoted or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, PrivateAttr, SerializeAsAny, ValidationError, ValidationInfo, WithJsonSchema, model_validator

from specs.schemas._measured import MOST_MEASUREMENTS
from specs.schemas.study import Block, ModelName, Study
from tasks.attacks.attack import ATTACKS, Attack
from tasks.attacks.audit import with_family
from tasks.comparison.results import CHAMPION
from tasks.core.component import OneOf
from tasks.core.fingerprint import digest
from tasks.core.places import checkout, home
from tasks.core.roots import CONTEXT, named_file
from tasks.core.secret import Secret
from tasks.data.dataset import DATASETS, DataError, Dataset
from tasks.data.snapshot import SNAPSHOTS, Snapshot, replaced
from tasks.data.snapshots.replay import Replay
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.models.model import MODELS, Model
from tasks.privacy.account import Account
from tasks.utility.metric import UTILITY, UtilityMetric

REPRODUCIBLE = "randomness must be 'secret': noise that follows from a seed protects nobody, and every night would draw the same"


def _inner(value: Any, info: ValidationInfo) -> Study:
    """The study that is trained: a file's, or the one written here. Raises ValueError with the first of its errors."""
    from specs.loading import SpecErrors, load, load_mapping

    if isinstance(value, Study):
        return value
    context = info.context or {}
    allowed = context.get(CONTEXT)
    try:
        if isinstance(value, str):
            loaded = load(named_file(Path(value), info, home(), checkout()), roots=allowed, shown=value)
        elif isinstance(value, dict):
            loaded = load_mapping(value, "study", context.get("folder"), roots=allowed)
        else:
            raise ValueError("must be a study's file, or a study")
    except SpecErrors as error:
        first, *others = error.errors
        said = str(first) if isinstance(value, str) else ": ".join(part for part in (first.path, first.message) if part)
        raise ValueError(said + (f" (and {len(others)} more: assay validate)" if others else "")) from None
    if loaded.study.has_champion:
        raise ValueError("must be a study that trains, and this is an audit itself")
    if len(loaded.trials) != 1:
        raise ValueError(f"must have one arm and one seed, for one model is trained a night (got {len(loaded.trials)} trials)")
    return loaded.trials[0].study


def _of_study(name: str) -> Any:
    """The default of a list of measurements: that of the study that is trained."""

    def default(fields: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(getattr(fields.get("study"), name, ()))

    return default


class Budget(Block):
    """The most that a population may spend over its lifetime; the ledger refuses the training that would pass it."""

    epsilon: float = Field(gt=0, description="Of all private trainings composed.")
    delta: float = Field(gt=0, lt=1, description="At which it holds.")


class ChampionModel(Block):
    """The model in use: a registered model whose alias ``champion`` moves."""

    name: ModelName = Field(description="Name of the registered model.")
    incomparable: Literal["refuse", "pass"] = Field(
        default="refuse",
        description="Where the champion cannot be loaded or knows other labels: refuse before anything is trained, or let the other gates decide alone.",
    )


class Notify(Block):
    """Who is told of a night: a POST of its decision as JSON."""

    webhook: Secret = Field(description='The variable that holds the address, "${ASSAY_WEBHOOK}".')
    on: tuple[Literal["promoted", "refused", "failed", "skipped"], ...] = Field(default=("refused", "failed"), min_length=1, description="Of which decisions.")


class Incumbent(Block):
    """The champion that a night compares with. Filled in when the night begins."""

    version: int
    run: str
    guarantee: str
    labels: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    model: Annotated[Model, OneOf(MODELS)]


class Tonight(Block):
    """What one night is about. Filled in when it begins, and written into its record.

    ``expected`` is the champion's version then, also where the model itself cannot be compared with, for the reason that ``absent`` gives.
    """

    role: Literal["candidate", "champion"] = "candidate"
    identity: str
    snapshot: str
    data: Annotated[Dataset, OneOf(DATASETS)]
    expected: int | None = None
    champion: Incumbent | None = None
    absent: str = ""


class RetrainingAuditStudy(Study):
    """Retrain a model on new data, attack and measure it, compare it with the champion, and move the champion or not."""

    has_champion: ClassVar[bool] = True

    kind: Literal["retraining-audit"]
    randomness: Literal["secret"] = Field(default="secret", description="Always secret: noise, sampling and cohorts are drawn from the operating system.")
    study: Annotated[
        SerializeAsAny[Study],
        PlainValidator(_inner),
        WithJsonSchema({"anyOf": [{"type": "string", "title": "File"}, {"type": "object", "title": "Study"}]}),
    ] = Field(description="What to train: a study with privacy, one arm and randomness secret, by its file or as it is.")
    snapshot: Annotated[Snapshot, OneOf(SNAPSHOTS)] = Field(description="Which data is tonight's.")
    population: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of the people in the ledger: 1 to 64 letters, digits, '.', '_' and '-'."
    )
    public_size: int | None = Field(default=None, gt=0, description="Public number of members; without it that of the study's data.")
    budget: Budget = Field(description="What the population may spend over its lifetime.")
    champion: ChampionModel = Field(description="The registered model whose alias moves.")
    utility: Annotated[
        tuple[Annotated[UtilityMetric, OneOf(UTILITY)], ...],
        Field(default_factory=_of_study("utility"), max_length=MOST_MEASUREMENTS, description="How good the models are; by default as the study says."),
    ]
    attacks: Annotated[
        tuple[Annotated[Attack, OneOf(ATTACKS)], ...],
        AfterValidator(with_family),
        Field(
            default_factory=_of_study("attacks"),
            max_length=MOST_MEASUREMENTS,
            description="What attackers find in the candidate; by default as the study says.",
        ),
    ]
    fairness: Annotated[
        tuple[Annotated[FairnessMetric, OneOf(FAIRNESS)], ...],
        Field(default_factory=_of_study("fairness"), max_length=MOST_MEASUREMENTS, description="How groups of people differ; by default as the study says."),
    ]
    notify: Notify | None = Field(default=None, description="Who is told; nobody without it.")
    night: Tonight | None = Field(default=None, description="Filled in when a night begins; leave it out.")
    _trained: Study = PrivateAttr()

    @model_validator(mode="after")
    def _auditable(self, info: ValidationInfo) -> RetrainingAuditStudy:
        if self.study.randomness != "secret":
            raise ValueError(f"study: {REPRODUCIBLE}")
        if self.execution.register_model is not None or self.execution.log_models != "all":
            raise ValueError("execution: an audit logs and registers its models itself; leave out log_models and register_model")
        self._trained = self._replaced(dict(info.context or {}))
        self._check_nights(dict(info.context or {}))
        return self

    def unfit(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Before a night fills them in, arms are not a person's to write; gates are."""
        if self.night is not None:
            return
        if not self.gates:
            yield ("gates",), "at least one is needed: what must hold before a model is promoted"
        for index, gate in enumerate(self.gates):
            if gate.arms is not None:
                yield ("gates", index, "arms"), "leave it out: every gate is of the night's candidate"
        for name in ("sweep", "claims"):
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                yield (name,), "is no part of a retraining audit: its arms are the night's candidate and the champion"

    @property
    def trained(self) -> Study:
        """The study that is trained, with the population, the lists and the data of this audit in the place of its own."""
        return self._trained

    @property
    def data(self) -> Dataset:
        """That of the night, or of the study with this population."""
        found: Dataset = self._trained.data  # type: ignore[attr-defined]
        return found

    @property
    def is_champion(self) -> bool:
        """Whether this trial only measures the champion."""
        return self.night is not None and self.night.role == CHAMPION

    def facts(self) -> dict[str, Any]:
        """Those of the study that is trained."""
        return {
            **self.trained.facts(),
            "kind": self.kind,
            "champion": self.champion.model_dump(),
            "night": None if self.night is None else self.night.model_dump(mode="json"),
        }

    def place_of(self, path: str) -> tuple[str, ...]:
        """The block of that name here, else the study that is trained."""
        first = path.split(".")[0]
        return (first,) if first in ("attacks", "fairness", "utility", "gates", "champion", "public_size", "population", "snapshot") else ("study",)

    def metrics(self) -> tuple[str, ...]:
        """Those of the study that is trained."""
        return self.trained.metrics()

    def account(self) -> Account | None:
        """What tonight's training spends; None for the champion, which is only measured."""
        return None if self.is_champion else self.trained.account()

    def guarantee(self) -> str:
        """That of the training; the champion's is that of its own."""
        if self.is_champion and self.night is not None and self.night.champion is not None:
            return self.night.champion.guarantee
        return self.trained.guarantee()

    def submission_key(self) -> str:
        """What is trained, on which data: whatever else of the audit changes, the training goes on and is not charged again."""
        trained = self.trained.model_dump(mode="json", exclude={"execution", "gates", "claims", "utility", "attacks", "fairness", "question", "version"})
        return digest([self.kind, self.name, trained, None if self.night is None else self.night.identity])

    def summary(self) -> str:
        """What is trained, or which model is compared with."""
        if self.is_champion and self.night is not None and self.night.champion is not None:
            return f"the champion {self.champion.name}, its version {self.night.champion.version}"
        return self.trained.summary()

    def _replaced(self, context: dict[str, Any]) -> Study:
        values = self.study.model_dump(mode="json")
        own = {"utility": self.utility, "attacks": self.attacks, "fairness": self.fairness}
        values |= {name: [item.model_dump(mode="json") for item in found] for name, found in own.items() if name in type(self.study).model_fields}
        data = self.night.data.model_dump(mode="json") if self.night is not None else values["data"]
        size = {} if self.public_size is None or self.night is not None else {"public_size": self.public_size}
        values |= {"data": {**data, "population": self.population, **size}, "gates": [], "claims": []}
        try:
            return type(self.study).model_validate_json(json.dumps(values), strict=True, context=context)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise ValueError(f"study, with what this audit replaces: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None

    def _check_nights(self, context: dict[str, Any]) -> None:
        """A replay that would end in an error one night is refused now."""
        if self.night is None and isinstance(self.snapshot, Replay):
            for number, changes in enumerate(self.snapshot.nights):
                try:
                    replaced(self.data, changes, context)
                except DataError as error:
                    raise ValueError(f"snapshot.nights[{number}]: {error}") from None
