"""What devices of each decile pay: the published example, and the price that is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tasks.core.measures import Row
from tasks.data.dataset import DATASETS, Dataset
from tasks.federated.charging import account_of
from tasks.federated.evaluation import EVALUATIONS
from tasks.federated.federation import Federation
from tasks.federated.labels import LABELS
from tasks.federated.population import Population
from tasks.federated.price import NOT_RELEASED, private_rows
from tasks.federated.steps import FederateConfig
from tasks.models.model import MODELS
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tasks.utility.metric import UTILITY
from tests.federated.test_private_federation import composed

ROUNDS, DEVICES_PER_ROUND = 50, 100


def population(activity: NDArray[np.int64]) -> Population:
    train = np.repeat(np.arange(len(activity)), activity)
    names = tuple(f"{number:06}" for number in range(len(activity)))
    empty = np.zeros(0, dtype=np.int64)
    return Population(names, train, empty, np.zeros(len(train), dtype=np.int64), empty)


def rows_of(activity: NDArray[np.int64], selection: dict[str, Any], **federation: Any) -> dict[str, Row]:
    values = {"rounds": ROUNDS, "cohort_size": DEVICES_PER_ROUND, "selection": selection, "correction": {"kind": "equal"}, **federation}
    block = Federation.model_validate(values)
    privacy = DpFedAvg.model_validate({"kind": "dp-fedavg", "noise_multiplier": 1.0, "delta": 1e-6})
    model = MODELS.parse({"kind": "linear", "tokenizer": {"kind": "hashing", "buckets": 16}})
    evaluation, metric = EVALUATIONS.parse({"kind": "central"}), UTILITY.parse({"kind": "accuracy"})
    values = {
        "model": model,
        "federation": block,
        "privacy": privacy,
        "randomness": "reproducible",
        "unit": "user",
        "evaluation": evaluation,
        "labels": LABELS.parse({"kind": "given"}),
    }
    config = FederateConfig.model_validate({**values, "metric": metric})
    account = account_of(block, privacy, len(activity), "reproducible", "user")
    assert account is not None
    return {row.name: row for row in private_rows(config, account, population(activity))}


@pytest.fixture(scope="module")
def irc(catalogue: Path) -> NDArray[np.int64]:
    """Messages of each nickname of Ubuntu's chat, bots left out."""
    data = DATASETS.parse({"kind": "ubuntu-irc"})
    assert isinstance(data, Dataset)
    users = pd.concat([split["user"] for split in data.load(catalogue).splits.values()])
    counts = users.value_counts().to_numpy(dtype=np.int64)
    return np.sort(counts)


def test_active_people_of_the_chat_are_asked_nearly_always_and_pay_for_it(irc: NDArray[np.int64]) -> None:
    """100 of all nicknames a round, in proportion to their messages; five messages of 216,660 are blank, and one nickname said nothing else."""
    assert (len(irc), irc.sum(), irc.max()) == (17_774, 216_655, 2_073)
    active = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 2_073, "public_activity": 216_660}
    found = rows_of(irc, active)
    assert found["federated/rate/decile_10"].value == pytest.approx(0.957, abs=5e-4)
    assert found["privacy/epsilon"].value == pytest.approx(composed(1.0, DEVICES_PER_ROUND * 2_073 / 216_660, ROUNDS, 1e-6), abs=1e-9)
    prices = [found[f"privacy/epsilon/decile_{number}"].value for number in range(1, 11)]
    assert prices == sorted(prices) and prices[-1] == pytest.approx(found["privacy/epsilon"].value)  # type: ignore[type-var]
    assert prices[0] < 0.05 * prices[-1]  # type: ignore[operator]
    assert found["privacy/epsilon/decile_1"].conditions["release"] == NOT_RELEASED
    root = rows_of(irc, {**active, "alpha": 0.5, "public_activity": float(np.sqrt(irc).sum())})
    assert root["federated/rate/decile_10"].value == pytest.approx(0.095, abs=5e-4)
    uniform = rows_of(irc, {"kind": "uniform", "design": "poisson"})
    assert uniform["privacy/epsilon"].value == pytest.approx(composed(1.0, 100 / 17_774, ROUNDS, 1e-6), abs=1e-9)
    assert not any("decile" in name for name in uniform)


def test_the_price_is_that_of_the_cap_though_nobody_there_is_as_active() -> None:
    activity = np.array([1, 2, 3, 5, 8, 13, 21, 34, 55, 89] * 3)
    active = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 100, "public_activity": 20_000}
    found = rows_of(np.sort(activity), active)
    assert found["privacy/epsilon"].value == pytest.approx(composed(1.0, 0.5, ROUNDS, 1e-6), abs=1e-9)
    assert found["privacy/epsilon/decile_10"].value < found["privacy/epsilon"].value  # type: ignore[operator]


def test_who_rests_pays_alike_however_active() -> None:
    active = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson", "activity_cap": 100, "public_activity": 1_000}
    found = rows_of(np.arange(1, 41), active, separation=10)
    prices = {found[f"privacy/epsilon/decile_{number}"].value for number in range(1, 11)}
    assert prices == {found["privacy/epsilon"].value}
