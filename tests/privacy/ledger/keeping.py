"""Ledgers of a test's own, and accounts to charge them with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.privacy.account import Account
from tasks.privacy.ledger.database import opened
from tasks.privacy.ledger.ledger import Ledger
from tasks.privacy.mechanism import Adjacency, Mechanism, Release, Repetition
from tasks.privacy.sampler import Schedule

RATE, STEPS, NOISE, DELTA = 0.01, 100, 1.0, 1e-5


def ledger_at(folder: Path) -> Ledger:
    """The ledger in a folder, made where it is not there."""
    return Ledger(opened(f"sqlite:///{folder / 'ledger.db'}"))


def account(noise: float = NOISE, steps: int = STEPS, level: str = "example-level", adjacency: Adjacency = "add-remove", search: bool = False) -> Account:
    """What one training spends; its own epsilon is a stand-in, which no composition may read."""
    mechanism = Mechanism((Release(noise, RATE, steps),), adjacency, Repetition(5.0, 1.0) if search else None)
    return Account(mechanism, Schedule(10_000, 100, 1.0), noise, DELTA, {"pld": 123.0}, "pld", "example", level, "poisson", "secret")


def losing(spent: Account, delta: float) -> Account:
    """The same account at another delta."""
    return replace(spent, delta=delta)
