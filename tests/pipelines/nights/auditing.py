"""A small retraining audit for tests, and what its history and its registry hold."""

from __future__ import annotations

from typing import Any

from tasks.privacy.ledger.ledger import open_ledger
from tasks.privacy.ledger.nights import Champion, Night, Nights

NAME, MODEL, PEOPLE = "nightly", "assistant", "people"
TRAINED: dict[str, Any] = {
    "kind": "dp-training",
    "name": "inner",
    "data": {"kind": "synthetic-assistant", "examples": 600, "task": "intent", "bias": 0, "public_size": 480},
    "model": {"kind": "linear"},
    "training": {"epochs": 4, "expected_batch_size": 64, "optimizer": {"kind": "adamw", "learning_rate": 0.05}},
    "privacy": {"kind": "dp-sgd", "noise_multiplier": 0.8, "delta": 1e-5},
    "randomness": "secret",
    "fairness": [],
}
AUDIT: dict[str, Any] = {
    "kind": "retraining-audit",
    "name": NAME,
    "study": TRAINED,
    "snapshot": {"kind": "replay", "nights": [{"seed": 1}, {"seed": 2}, {"seed": 3}]},
    "population": PEOPLE,
    "budget": {"epsilon": 30, "delta": 1e-5},
    "champion": {"name": MODEL},
    "gates": [{"metric": "utility/accuracy", "at_least": 0.2}, {"metric": "utility/accuracy", "not_worse_than": "champion", "by_more_than": 0.5}],
}


def audit(**changes: Any) -> dict[str, Any]:
    """The audit with some blocks replaced."""
    return {**AUDIT, **changes}


def trained(**changes: Any) -> dict[str, Any]:
    """The study that it trains with some blocks replaced."""
    return {**TRAINED, **changes}


def replaying(*nights: dict[str, Any]) -> dict[str, Any]:
    """A snapshot that replays these nights."""
    return {"kind": "replay", "nights": list(nights)}


def history(name: str = NAME) -> list[Night]:
    return Nights(open_ledger().engine).history(name)


def champion(name: str = MODEL) -> Champion | None:
    return Nights(open_ledger().engine).champion(name)


def charged() -> list[str]:
    """What the ledger was told, in order."""
    return [entry.action for entry in open_ledger().entries()]
