"""DP-FedAvg: clipped updates of a random cohort of devices, summed, with noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.core.component import OneOf, member_field
from tasks.privacy.account import COVERS, COVERS_CHECKS, Account
from tasks.privacy.accounts import spend
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tasks.privacy.counting import check_count
from tasks.privacy.mechanism import Adjacency, Mechanism, Release
from tasks.privacy.noise import NOISES, Noise
from tasks.privacy.privacy import CohortSetting, Privacy, Setting, default_delta


class UpdateClipping(BaseModel):
    """How long the weighted update of a device may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Annotated[ClipRule, OneOf(CLIP_RULES)] = member_field(CLIP_RULES, "flat")


@dataclass(frozen=True)
class Cohorts:
    """Who takes part in which round, as an accountant sees it: every admissible device with the largest rate of any, or so far apart that no luck counts.

    Args:
        public_size, expected_batch_size: devices that there are, and that a cohort is divided by: public numbers.
        steps: rounds.
        rate: see CohortSetting.
        separation: see CohortSetting; above 1 nothing is amplified by sampling, for takings part are not independent.
        extra: see CohortSetting.
    """

    public_size: int
    expected_batch_size: int
    steps: int
    rate: float
    separation: int = 1
    extra: tuple[Release, ...] = ()

    @property
    def most(self) -> int:
        """How often a device takes part at most."""
        return math.ceil(self.steps / self.separation)

    def releases(self, noise: Noise, noise_multiplier: float) -> tuple[Release, ...]:
        """What an accountant composes."""
        if self.separation > 1 or len(noise.coefficients) > 1:
            return (noise.unamplified(noise_multiplier, self.steps, self.most), *self.extra)
        rate = None if self.rate >= 1 else self.rate
        return (*(Release(multiplier, rate, count) for multiplier, count in noise.runs(noise_multiplier, self.steps)), *self.extra)

    def mechanism(self, noise: Noise, noise_multiplier: float, adjacency: Adjacency) -> Mechanism:
        """All that is released."""
        return Mechanism(self.releases(noise, noise_multiplier), adjacency)


class DpFedAvg(Privacy):
    """Differentially private federated averaging (McMahan et al., ICLR 2018): the weighted update of each device is clipped, a cohort drawn by independent
    coins is summed, Gaussian noise is added, and the sum is divided by ``federation.cohort_size``, never by how many came.

    The unit is a device with all it holds: a person, where ``partition: {kind: natural}`` makes devices of users. A device is in the cohort with a rate
    that follows from its own activity and public numbers alone. Epsilon is the supremum over every admissible device: it is that of the largest rate,
    which ``federation.selection.activity_cap`` bounds, for the clip makes all count alike, whatever their weight. With
    ``noise: {kind: banded}`` and ``federation.separation`` of at least its bands it is DP-FTRL (Kairouz et al., ICML 2021; Choquette-Choo et al., NeurIPS
    2023), which needs no amplification: devices take part at most every so many rounds, whatever their rate.
    """

    kind: Literal["dp-fedavg"]
    target_epsilon: float | None = Field(default=None, gt=0, le=1000, description="Noise is calibrated to stay at or below it; or give noise_multiplier.")
    noise_multiplier: float | None = Field(default=None, gt=0, le=1e5, description="Deviation of the noise over the clip norm; or give target_epsilon.")
    delta: float | None = Field(default=None, gt=0, lt=1, description="Without it, 1 / (10 public_size).")
    adjacency: Literal["add-remove", "zero-out"] = Field(default="add-remove", description="Which populations are neighbours: add-remove or zero-out.")
    clipping: UpdateClipping = Field(default_factory=UpdateClipping, description="The rule by which weighted updates are clipped.")
    noise: Annotated[Noise, OneOf(NOISES)] = member_field(NOISES, "constant")
    public_records: int | None = Field(
        default=None, gt=0, description="Public number of records on all devices, of which horvitz-thompson takes a device's share."
    )
    accountant: Literal["pld", "rdp", "prv", "gdp"] = Field(
        default="pld", description="Whose epsilon is reported: pld, rdp, prv; the others that support the mechanism are asked too and must agree."
    )

    @model_validator(mode="after")
    def _one_amount(self) -> DpFedAvg:
        if (self.target_epsilon is None) == (self.noise_multiplier is None):
            raise ValueError("give exactly one of target_epsilon and noise_multiplier")
        return self

    @property
    def metrics(self) -> tuple[str, ...]:
        """Epsilon, also by decile of activity, delta, noise and the ceiling of attacks."""
        return ("privacy/epsilon", "privacy/delta", "privacy/noise_multiplier", "privacy/auc_ceiling")

    def account(self, setting: Setting) -> Account:
        """Calibrated where a target is given; every accountant that supports the mechanism agrees."""
        assert isinstance(setting, CohortSetting) and setting.public_size is not None  # rules refuse other kinds, and ask for the size
        rate = min(1.0, setting.rate)
        cohorts = Cohorts(setting.public_size, setting.expected_batch_size, setting.rounds, rate, setting.separation, setting.extra)
        delta = self.delta or default_delta(setting.public_size)
        multiplier, mechanism, epsilons = spend(
            cohorts.releases, self.noise, self.adjacency, None, self.accountant, delta, self.target_epsilon, self.noise_multiplier
        )
        check_count(self.clipping.rule, self.noise, multiplier, cohorts.steps, cohorts.expected_batch_size)
        return Account(
            mechanism=mechanism,
            schedule=cohorts,
            noise_multiplier=multiplier,
            delta=delta,
            epsilons=epsilons,
            reported=self.accountant,
            unit=setting.unit,
            level=f"{setting.unit}-level",
            sampler="poisson" if cohorts.separation == 1 and len(self.noise.coefficients) == 1 else "poisson, at most once in so many rounds, not amplified",
            randomness=setting.randomness,
            clipping=self.clipping.model_dump(mode="json"),
            sensitivity=self.clipping.rule.sensitivity,
            participation={"separation": cohorts.separation, "most": cohorts.most, "largest_rate": rate, "noise": self.noise.model_dump(mode="json")},
            covers=COVERS_CHECKS if setting.extra else COVERS,
        )
