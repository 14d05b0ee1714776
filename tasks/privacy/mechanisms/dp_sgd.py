"""DP-SGD: clipped gradients of a random sample, summed, with noise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.core.component import OneOf, member_field
from tasks.privacy.account import Account
from tasks.privacy.accounts import spend
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tasks.privacy.counting import check_count
from tasks.privacy.engine import ENGINES, Engine
from tasks.privacy.mechanism import Adjacency
from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.privacy import Privacy, Setting, default_delta
from tasks.privacy.sampler import SAMPLERS, Sampled, Sampler, Schedule
from tasks.privacy.unit import UNITS, Unit


class Clipping(BaseModel):
    """How contributions are bounded, and by which engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Annotated[Engine, OneOf(ENGINES)] = member_field(ENGINES, "book-keeping")
    rule: Annotated[ClipRule, OneOf(CLIP_RULES)] = member_field(CLIP_RULES, "flat")

    @model_validator(mode="after")
    def _one_division(self) -> Clipping:
        if getattr(self.engine, "layer_scales", "none") != "none" and self.rule.layer_scales != "none":
            raise ValueError("engine micro-batch divides the clip norm among layers by itself: give it layer_scales: none, or another rule than per-layer")
        return self


class DpSgd(Privacy):
    """Differentially private SGD (Abadi et al., CCS 2016): each contribution is clipped, a random sample summed, Gaussian noise added.

    Rate, steps, divisor and delta follow from ``data.public_size``, never from the number of records. The noise's standard deviation
    is noise multiplier times clip norm, on the sum; then the sum is divided by ``training.expected_batch_size``.
    """

    kind: Literal["dp-sgd"]
    target_epsilon: float | None = Field(default=None, gt=0, le=1000, description="Noise is calibrated to stay at or below it; or give noise_multiplier.")
    noise_multiplier: float | None = Field(default=None, gt=0, le=1e5, description="Deviation of the noise over the clip norm; or give target_epsilon.")
    delta: float | None = Field(default=None, gt=0, lt=1, description="Without it, 1 / (10 public_size).")
    unit: Annotated[Unit, OneOf(UNITS)] = member_field(UNITS, "example")
    adjacency: Adjacency = Field(default="add-remove", description="Which data sets are neighbours: add-remove, replace-one or zero-out.")
    sampler: Annotated[Sampler, OneOf(SAMPLERS)] = member_field(SAMPLERS, "poisson")
    clipping: Clipping = Field(default_factory=Clipping, description="The engine and the rule of clipping.")
    noise: Annotated[Noise, OneOf(NOISES)] = member_field(NOISES, "constant")
    accountant: Literal["pld", "rdp", "prv", "gdp"] = Field(
        default="pld", description="Whose epsilon is reported: pld, rdp, prv; the others that support the mechanism are asked too and must agree."
    )

    @model_validator(mode="after")
    def _one_amount(self) -> DpSgd:
        if (self.target_epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("give exactly one of target_epsilon and noise_multiplier")
        return self

    @property
    def metrics(self) -> tuple[str, ...]:
        """Epsilon, that of a micro-batch too where micro-batches are clipped, delta, noise and the ceiling of attacks."""
        weaker = ("privacy/epsilon_micro_batch",) if self.clipping.engine.moves > 1 else ()
        return ("privacy/epsilon", *weaker, "privacy/delta", "privacy/noise_multiplier", "privacy/auc_ceiling")

    def schedule(self, setting: Setting) -> Schedule:
        """Rate, steps and divisor. Needs the public size, which a rule asks for."""
        assert setting.public_size is not None
        return Schedule(setting.public_size, setting.expected_batch_size, setting.epochs)

    def account(self, setting: Setting) -> Account:
        """Calibrated where a target is given; every accountant that supports the mechanism agrees."""
        schedule = self.schedule(setting)
        delta = self.delta or default_delta(schedule.public_size)
        repetition = None if setting.search is None else setting.search.repetition
        moves = self.clipping.engine.moves
        public = (Sampled(self.sampler, schedule).releases, self.noise, self.adjacency, repetition, self.accountant, delta)
        multiplier, mechanism, epsilons = spend(*public, self.target_epsilon, self.noise_multiplier, moves)
        check_count(self.clipping.rule, self.noise, multiplier, schedule.steps, schedule.expected_batch_size)
        return Account(
            mechanism=mechanism,
            schedule=schedule,
            noise_multiplier=multiplier,
            delta=delta,
            epsilons=epsilons,
            reported=self.accountant,
            unit=self.unit.kind,
            level=self.unit.level,
            sampler=self.sampler.kind,
            randomness=setting.randomness,
            clipping=self.clipping.model_dump(mode="json"),
            sensitivity=self.clipping.rule.sensitivity,
            micro_batch=spend(*public, None, multiplier)[2][self.accountant] if moves > 1 else None,
        )
