"""Small private trainings under the check of their mechanism, and what the attack makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.attacks.attack import ATTACKS, Attack
from tasks.core.measures import Row
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.training.charging import account_of
from tasks.training.mechanism_check import FACTS, CheckConfig, check_mechanism
from tasks.training.steps import TrainConfig
from tests.attacks.made import Quiet

PREFIX = "privacy/mechanism/"
TOKENS = {"kind": "hashing", "buckets": 64, "max_tokens": 12}
LINEAR = {"kind": "linear", "bigram_buckets": 64, "tokenizer": TOKENS}
BILSTM = {"kind": "bilstm", "hidden_size": 6, "embedding_size": 8, "layers": 1, "dropout": 0.3, "tokenizer": TOKENS}
BERT = {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.1, "tokenizer": TOKENS}
GPT2 = {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.2, "tokenizer": {"kind": "bytes", "max_tokens": 32}}
STEPS = 4


def facts_of(settings: TrainConfig, data: PreparedData, run: StepRun, steps: int = STEPS) -> dict[str, Any]:
    """What the check writes of a training."""
    check_mechanism(CheckConfig.of(settings, steps), {"data": data.folder}, 3, run)
    found: dict[str, Any] = json.loads((run.folder / FACTS).read_text())
    return found


def rows_of(facts: dict[str, Any], record: dict[str, Any], folder: Path, steps: int = STEPS) -> dict[str, Row]:
    """The attack's rows by their last word. ``record`` is the trained model's ``privacy.json``."""
    attack = ATTACKS.parse({"kind": "mechanism", "steps": steps})
    assert isinstance(attack, Attack)
    (folder / FACTS).write_text(json.dumps(facts))
    (folder / "privacy.json").write_text(json.dumps(record))
    return {row.name.removeprefix(PREFIX): row for row in attack.measure(folder, {"mechanism": folder}, folder, 0, Quiet()).rows}


def judged(settings: TrainConfig, data: PreparedData, run: StepRun, folder: Path, steps: int = STEPS) -> dict[str, Row]:
    """The rows of a check, against the record that the training writes of the same account."""
    account = account_of(settings, data.facts)
    facts = facts_of(settings, data, run, steps)
    divisor = facts["record"]["divisor"] if account is not None else None
    return rows_of(facts, {"guarantee": "none"} if account is None else {**account.record(), "divisor": divisor}, folder, steps)


def failed(rows: dict[str, Row]) -> list[str]:
    """Which tests failed, in words; [] where all could be made and none did."""
    found = rows["violations"]
    assert found.value is not None, found.reason
    reasons = [] if found.reason is None else found.reason.split("; ")
    assert len(reasons) == found.value
    return reasons
