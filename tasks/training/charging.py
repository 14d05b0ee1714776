"""What a training spends, and what it owes the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.privacy.account import Account
from tasks.privacy.ledger.charge import Charge, charge_of
from tasks.privacy.privacy import Setting
from tasks.privacy.randomness import key_of

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig


def account_of(config: TrainConfig, facts: Mapping[str, Any]) -> Account | None:
    """What a training on data of these facts spends; None without privacy."""
    training = config.training
    return config.privacy.account(Setting(facts["public_size"], training.expected_batch_size, training.epochs, config.randomness, config.search))


def charge(config: TrainConfig, inputs: Mapping[str, Path], seed: int, checkpoint: Path, artifact: str) -> Charge | None:
    """The charge of the training of a step on the prepared ``data``. Its key is drawn here, where it was not yet."""
    from tasks.data.prepared import PreparedData

    facts = PreparedData(inputs["data"]).facts
    account = account_of(config, facts)
    key = key_of(config.randomness, seed, checkpoint) if account is not None and config.randomness == "secret" else None
    return charge_of(facts, account, key, artifact)


def uncovered(config: object, inputs: Mapping[str, Path], seed: int, checkpoint: Path, artifact: str) -> Charge | None:
    """The charge of a training on the prepared ``data`` that has no privacy."""
    from tasks.data.prepared import PreparedData

    return charge_of(PreparedData(inputs["data"]).facts, None, None, artifact)


def charge_stack(config: TrainConfig, inputs: Mapping[str, Path], seed: int, checkpoint: Path, artifact: str) -> Charge | None:
    """The charge of several trainings at once, on pools of one population, none with privacy."""
    return uncovered(config, {"data": inputs["data/0"]}, seed, checkpoint, artifact)
