"""Small federated trainings, whole: every part but the study around them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.core.step import Report
from tasks.federated.aggregation import Aggregation, PrivateAggregation
from tasks.federated.charging import account_of
from tasks.federated.federation import Federation
from tasks.federated.holdings import Holdings
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.rounds import Rounds
from tasks.federated.scoring import Score
from tasks.federated.secure.total import sums_of
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.federated.timeline import Stream
from tasks.federated.totals import Sums
from tasks.models.batches import Encoded
from tasks.models.losses import example_losses
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tests.federated.layouts import started

DEVICES, RECORDS, WINDOWS = 12, 150, 3


def federation(**changes: Any) -> Federation:
    values = {"rounds": 9, "cohort_size": 4, "client": {"batch_size": 4, "optimizer": {"kind": "sgd", "learning_rate": 0.2}}}
    return Federation.model_validate({**values, **changes})


def owners() -> NDArray[np.int64]:
    """A skewed population: some devices hold most records; one holds none."""
    shares = np.arange(1, DEVICES, dtype=np.float64) ** 2
    return np.random.default_rng(0).choice(DEVICES - 1, size=RECORDS, p=shares / shares.sum())


def encoded(width: int = 12) -> Encoded:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(3, (RECORDS,), generator=generator)
    ids = torch.randint(3, 40, (RECORDS, width), generator=generator)
    ids[:, 0] = labels + 3  # what there is to learn
    return Encoded(ids, torch.full((RECORDS,), width), 0, torch.arange(RECORDS), labels)


def training(
    folder: Path,
    seed: int = 0,
    layout: str = "sequential",
    privacy: Mapping[str, Any] | None = None,
    leave_out: int | None = None,
    randomness: str = "reproducible",
    **changes: Any,
) -> Rounds:
    """A training that has not begun; its checks score minus the mean loss over all examples. The records of a device that is left out are on none."""
    block = federation(**changes)
    made, _ = started("linear")
    data = encoded()
    work = Work(made.network, data, block.client, "cpu", trained_names(made.network, block.client.freeze))
    made_layout: Layout = Sequential(work) if layout == "sequential" else Stacked(work, 3)
    client = np.where(owners() == leave_out, -1, owners())
    stream = Stream(client, np.arange(RECORDS) * WINDOWS // RECORDS, np.arange(RECORDS), DEVICES)

    def check(done: int) -> list[Score]:
        made.network.eval()
        with torch.no_grad():
            loss = float(example_losses(made.network, data.batch(torch.arange(RECORDS))).mean())
        return [Score(done, -1, -loss, RECORDS)]

    holdings = Holdings(stream, np.arange(RECORDS), block.timeline, seed)
    folder.mkdir(parents=True, exist_ok=True)
    activity = np.bincount(client[client >= 0], minlength=DEVICES)
    aggregation = aggregation_of(block, privacy, work, seed, randomness)
    return Rounds(block, work, made_layout, holdings, activity, check, 2, seed, folder / "checkpoints", Report(folder), "train/loss", aggregation)


def aggregation_of(block: Federation, privacy: Mapping[str, Any] | None, work: Work, key: int, randomness: str) -> Aggregation:
    """What becomes of contributions; ``randomness`` is that of keys of secure aggregation."""
    sums = sums_of(block.secure_aggregation, randomness, key)
    return Aggregation(sums) if privacy is None else private_aggregation(block, privacy, work, key, sums)


def private_aggregation(block: Federation, privacy: Mapping[str, Any], work: Work, key: int, sums: Sums | None = None) -> PrivateAggregation:
    """DP-FedAvg at work among as many devices as there are, which is public."""
    mechanism = DpFedAvg.model_validate({"kind": "dp-fedavg", "delta": 1e-3, **privacy})
    account = account_of(block, mechanism, DEVICES, "reproducible", "user")
    assert account is not None
    return PrivateAggregation(mechanism, account, work.parameters, key, sums)


def weights(rounds: Rounds) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in rounds.work.network.named_parameters()}
