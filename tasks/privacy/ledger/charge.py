"""What a training owes the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.privacy.account import Account

UNCOVERED = {"none": "trained without privacy", "reproducible": "simulated: its noise follows from a seed"}


@dataclass(frozen=True)
class Charge:
    """A training as the ledger sees it: a cost to reserve and commit, or one that no guarantee covers.

    Args:
        population: whose records.
        training: what tells it from every other training; one that goes on from its checkpoint is the same, one that begins anew is another.
        account: what it spends; None where nothing bounds it.
        why: then, why.
    """

    population: str
    training: str
    account: Account | None = None
    why: str = ""


def charge_of(facts: Mapping[str, Any], account: Account | None, secret_key: int | None, artifact: str) -> Charge | None:
    """The charge of a training; None for one that nobody is charged for: without a guarantee, on data that names no population.

    Args:
        facts: of the prepared data.
        account: None without privacy.
        secret_key: the key of all its draws where it is secret, else None.
        artifact: the key of the model artifact.
    """
    named = facts["population"]
    if account is not None and secret_key is not None:
        identity = hashlib.sha256(f"assay ledger {secret_key:064x}".encode()).hexdigest()
        return Charge(named or unnamed(facts["kind"]), identity[:32], account)
    if named is None:
        return None
    return Charge(named, artifact, why=UNCOVERED["none" if account is None else "reproducible"])


def unnamed(kind: str) -> str:
    """The population of data that names none: one for all data of its kind, so that nothing is counted too low."""
    return f"unnamed-{kind}"
