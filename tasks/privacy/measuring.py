"""The numbers that a private training records: its account, as rows."""

from __future__ import annotations

from typing import Any

from tasks.core.measures import Row
from tasks.privacy.account import Account
from tasks.privacy.ceiling import auc_ceiling


def account_rows(account: Account | None) -> tuple[Row, ...]:
    """Epsilon with its conditions; nothing without privacy, for no number would be true."""
    if account is None:
        return ()
    conditions = {**account.conditions, "status": "guarantee" if account.randomness == "secret" else "simulated"}
    return (
        Row(name="privacy/epsilon", value=account.epsilon, direction="lower", lowest=0, conditions=conditions),
        *_micro_batch(account, conditions),
        Row(name="privacy/delta", value=account.delta, lowest=0, highest=1, conditions=conditions),
        Row(name="privacy/noise_multiplier", value=account.noise_multiplier, lowest=0, conditions=conditions),
        _ceiling(account, conditions),
    )


def _micro_batch(account: Account, conditions: dict[str, str]) -> tuple[Row, ...]:
    """Epsilon of the weaker unit, where micro-batches are clipped."""
    if account.micro_batch is None:
        return ()
    weaker = {**conditions, "unit": "micro-batch", "status": "not of an example"}
    return (Row(name="privacy/epsilon_micro_batch", value=account.micro_batch, direction="lower", lowest=0, conditions=weaker),)


def _ceiling(account: Account, conditions: dict[str, str]) -> Row:
    """What no membership attack can exceed while the guarantee holds."""
    common: dict[str, Any] = {"name": "privacy/auc_ceiling", "direction": "lower", "lowest": 0.5, "highest": 1.0, "conditions": conditions}
    value = auc_ceiling(account.mechanism)
    if value is None:
        return Row(value=None, status="unsupported", reason="no ceiling is known for a search, or for samples of fixed size", **common)
    return Row(value=value, **common)
