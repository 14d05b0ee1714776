"""What a federated training spends, and what it owes the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.federated.evaluation import Evaluation
from tasks.federated.federation import Federation
from tasks.federated.partition import Unit
from tasks.federated.private_sums import Price, price_of
from tasks.privacy.account import Account
from tasks.privacy.ledger.charge import Charge, charge_of
from tasks.privacy.privacy import CohortSetting, Privacy
from tasks.privacy.randomness import key_of

if TYPE_CHECKING:
    from tasks.federated.steps import FederateConfig


def account_of(
    federation: Federation, privacy: Privacy, public_size: int | None, randomness: str, unit: Unit, evaluation: Evaluation | None = None
) -> Account | None:
    """What a federated training spends, its private checks included; None without privacy of the model. Epsilon is that of the device with the largest
    rate that any admissible one can have."""
    checks = price_of_checks(federation, evaluation, public_size)
    rate = 1.0 if public_size is None else federation.largest_rate(public_size)
    return privacy.account(
        CohortSetting(
            public_size=public_size,
            expected_batch_size=federation.cohort_size,
            epochs=1.0,
            randomness=randomness,
            rounds=max(1, federation.rounds),
            rate=rate,
            separation=federation.separation,
            unit=unit,
            extra=() if checks is None else checks.releases,
        )
    )


def price_of_checks(federation: Federation, evaluation: Evaluation | None, public_size: int | None) -> Price | None:
    """What the private checks of a training cost by themselves; None where there are none. How many there are follows from public numbers: one before
    the first round, then those of ``evaluation.every``."""
    if evaluation is None:
        return None
    checks = 1 + sum(federation.is_checked(done, evaluation.every) for done in range(1, federation.rounds + 1))
    return price_of(getattr(evaluation, "private", None), checks, public_size)


def charge(config: FederateConfig, inputs: Mapping[str, Path], seed: int, checkpoint: Path, artifact: str) -> Charge | None:
    """The charge of the training of a step on the prepared ``data``. Its key is drawn here, where it was not yet."""
    from tasks.data.prepared import PreparedData

    facts = PreparedData(inputs["data"]).facts
    account = account_of(config.federation, config.privacy, facts["public_size"], config.randomness, config.unit, config.evaluation)
    key = key_of(config.randomness, seed, checkpoint) if account is not None and config.randomness == "secret" else None
    return charge_of(facts, account, key, artifact)
