"""Small private federations under the check of their mechanism, and what the attack makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.core.measures import Row
from tasks.federated.charging import account_of
from tasks.federated.mechanism_check import CheckFederationConfig, check_federation
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.partitioning import write_population
from tasks.federated.steps import FederateConfig
from tasks.federated.timeline import TIMELINES, Timeline
from tasks.training.mechanism_check import FACTS
from tests.attacks.checked import LINEAR, STEPS, rows_of
from tests.conftest import NewRun, Prepare

COINS = {"kind": "uniform", "design": "poisson"}
ACTIVE = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 15, "public_activity": 220}
FLAT = {"noise_multiplier": 1.5, "clipping": {"rule": {"kind": "flat", "l2_clip_norm": 0.3}}}
ADAPTIVE = {"noise_multiplier": 1.5, "clipping": {"rule": {"kind": "adaptive-quantile", "initial": 0.3}}}
BANDED = {**FLAT, "noise": {"kind": "banded", "bands": 3}}
AUTOMATIC = {"noise_multiplier": 1.5, "clipping": {"rule": {"kind": "automatic"}}}
RESTED: dict[str, Any] = {"separation": 3, "rounds": 9}

Inputs = dict[str, Path]


def inputs_of(prepare: Prepare, folder: Path) -> Inputs:
    """Thirty users with few records each, and their population in the folder."""
    prepared = prepare({"kind": "synthetic-assistant", "examples": 300, "users": 30, "task": "intent", "intents": 4, "public_size": 30})
    partition, timeline = PARTITIONS.parse({"kind": "natural"}), TIMELINES.parse({"kind": "static"})
    assert isinstance(partition, Partition) and isinstance(timeline, Timeline)
    write_population(partition, timeline, prepared, 0, folder)
    return {"data": prepared.folder, "population": folder}


def config(
    privacy: dict[str, Any], layout: str = "sequential", model: dict[str, Any] = LINEAR, randomness: str = "reproducible", **changes: Any
) -> FederateConfig:
    client = {"epochs": 2, "batch_size": 4, "optimizer": {"kind": "sgd", "learning_rate": 0.5}, **changes.pop("client", {})}
    usual = {"rounds": 6, "cohort_size": 8, "selection": ACTIVE, "correction": {"kind": "equal"}, "client": client}
    return FederateConfig.model_validate(
        {
            "model": model,
            "federation": {**usual, "engine": {"kind": "in-process", "layout": layout, "chunk": 3}, **changes},
            "privacy": {"kind": "dp-fedavg", "delta": 1e-3, **privacy} if privacy else {"kind": "none"},
            "randomness": randomness,
            "unit": "user",
            "labels": {"kind": "given"},
            "evaluation": {"kind": "central"},
            "metric": {"kind": "accuracy"},
        }
    )


def judged(settings: FederateConfig, inputs: Inputs, new_run: NewRun, steps: int = STEPS) -> dict[str, Row]:
    """The attack's rows, against the record that the training writes of the same account."""
    run = new_run()
    check_federation(CheckFederationConfig.of(settings, steps), inputs, 3, run)
    account = account_of(settings.federation, settings.privacy, 30, settings.randomness, settings.unit)
    record = {"guarantee": "none"} if account is None else json.loads(json.dumps(account.record()))
    return rows_of(json.loads((run.folder / FACTS).read_text()), record, run.folder, steps)
