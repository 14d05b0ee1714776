"""What a federated training spends, and what it owes the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.federated.federation import Federation
from tasks.federated.partition import Unit
from tasks.privacy.account import Account
from tasks.privacy.ledger.charge import Charge, charge_of
from tasks.privacy.privacy import CohortSetting, Privacy
from tasks.privacy.randomness import key_of

if TYPE_CHECKING:
    from tasks.federated.steps import FederateConfig


def account_of(federation: Federation, privacy: Privacy, public_size: int | None, randomness: str, unit: Unit) -> Account | None:
    """What a federated training spends; None without privacy. Epsilon is that of the device with the largest rate that any admissible one can have."""
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
        )
    )


def charge(config: FederateConfig, inputs: Mapping[str, Path], seed: int, checkpoint: Path, artifact: str) -> Charge | None:
    """The charge of the training of a step on the prepared ``data``. Its key is drawn here, where it was not yet."""
    from tasks.data.prepared import PreparedData

    facts = PreparedData(inputs["data"]).facts
    account = account_of(config.federation, config.privacy, facts["public_size"], config.randomness, config.unit)
    key = key_of(config.randomness, seed, checkpoint) if account is not None and config.randomness == "secret" else None
    return charge_of(facts, account, key, artifact)
