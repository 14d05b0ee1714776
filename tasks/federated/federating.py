"""From prepared data and a population to a model artifact: one federated training, written with its log, its checks and its measures."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from tasks.core.measures import Row
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.federated.aggregation import Aggregation, PrivateAggregation
from tasks.federated.charging import account_of, price_of_checks
from tasks.federated.engine import Training
from tasks.federated.holdings import Holdings
from tasks.federated.label_quality import self_label_rows
from tasks.federated.labelling import Labelling, blanked
from tasks.federated.local import Layout, Work, trained_names
from tasks.federated.measuring import erased_rows, federated_measures
from tasks.federated.noisy_sums import NoisySums
from tasks.federated.partitioning import dealt_by, stream_of
from tasks.federated.population import Population
from tasks.federated.price import evaluation_rows, private_rows
from tasks.federated.rounds import Rounds
from tasks.federated.scoring import Scorer
from tasks.federated.secure.total import sums_of
from tasks.models.artifact import LoadedModel, save_model
from tasks.models.batches import Encoded, encode_split
from tasks.models.model import Started, TaskShape
from tasks.privacy.account import Account
from tasks.privacy.mechanisms.dp_fedavg import DpFedAvg
from tasks.privacy.randomness import key_of
from tasks.training.augmentation import encode_augmented
from tasks.training.guards import check_saved
from tasks.training.trial import DATA_FACTS

if TYPE_CHECKING:
    from tasks.federated.steps import FederateConfig

LOG, SCORES = "rounds.parquet", "checks.parquet"


def federate_trial(config: FederateConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train and write the artifact. Raises ModelError, FederationDiverged, UserError."""
    prepared, population = PreparedData(inputs["data"]), Population.load(inputs["population"])
    with begun(config, inputs, prepared, population, seed, run) as training:
        training.rounds.run()
    rounds, started, account = training.rounds, training.started, training.account
    data = {**{name: prepared.facts[name] for name in DATA_FACTS}, "members": prepared.split("train")["id"].tolist()}
    save_model(run.folder, started, training.shape, {"guarantee": "none"} if account is None else account.record(), data)
    check_saved(started.network, run.folder, training.encoded, run.device)
    secret = account is not None and account.randomness == "secret"
    _write_log(rounds, run.folder, secret)
    measures = federated_measures(rounds, config.metric, config.evaluation, population, dealt_by(inputs["population"]), run.device, secret)
    private = private_rows(config, account, population) if account is not None else ()
    labels = self_label_rows(rounds.work, training.encoded, population.train, seed)
    left, checks = erased_rows(config.federation.timeline, population, seed), evaluation_rows(config, prepared.facts["public_size"])
    replace(measures, rows=(*measures.rows, *training.told, *labels, *left, *checks, *private)).save(run.folder)
    environment = {"device": run.device, "precision": "fp32", "torch": torch.__version__, "machine": platform.machine()}
    (run.folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")


@dataclass(frozen=True)
class Begun:
    """A federated training before its first round.

    Args:
        rounds: the training.
        started: its model.
        shape: what the model answers.
        account: what it spends; None without privacy.
        encoded: the training examples with the labels of the data, some of which devices may not know.
        told: rows on its examples.
    """

    rounds: Rounds
    started: Started
    shape: TaskShape
    account: Account | None
    encoded: Encoded
    told: tuple[Row, ...]


@contextmanager
def begun(config: FederateConfig, inputs: Mapping[str, Path], prepared: PreparedData, population: Population, seed: int, run: StepRun) -> Iterator[Begun]:
    """On the prepared data as the population holds it; what the engine started has ended at the end. Raises ModelError, UserError."""
    shape = TaskShape(prepared.task, prepared.labels, prepared.slots)
    started = config.model.start(shape, inputs, seed)
    started.network.to(run.device)
    account = account_of(config.federation, config.privacy, prepared.facts["public_size"], config.randomness, config.unit, config.evaluation)
    encoded, told = _examples(config, prepared, started, shape)
    labelling = Labelling.of(config.labels, prepared.split("train")["id"].tolist(), encoded, seed)
    held = encoded if labelling is None else blanked(encoded, labelling)
    work = Work(started.network, held, config.federation.client, run.device, trained_names(started.network, config.federation.client.freeze), labelling)
    training = Training(config, inputs, seed, run, len(population.names), started, work)
    with config.federation.engine.opened(training) as layout:
        yield Begun(_rounds(training, layout, account, prepared, population, shape), started, shape, account, encoded, told)


def _examples(config: FederateConfig, prepared: PreparedData, started: Started, shape: TaskShape) -> tuple[Encoded, tuple[Row, ...]]:
    """The training examples, and what is to be told of them. A reversal is of its text's record, so it is on the device that holds the record."""
    records, augmentation = prepared.split("train"), config.federation.client.augmentation
    if augmentation is None:
        return encode_split(records, started.encoder, shape), ()
    encoded, found = encode_augmented(records, started.encoder, shape, augmentation)
    return encoded, found.rows("texts_reversed")


def _aggregation(config: FederateConfig, account: Account | None, work: Work, key: int) -> Aggregation:
    """What becomes of contributions. Never sums plainly what an account promises."""
    sums = sums_of(config.federation.secure_aggregation, config.randomness, key)
    if account is None:
        return Aggregation(sums)
    if not isinstance(config.privacy, DpFedAvg):
        raise TypeError(f"no federation carries out privacy of kind '{config.privacy.kind}', which has an account")
    return PrivateAggregation(config.privacy, account, work.parameters, key, sums)


def _rounds(training: Training, layout: Layout, account: Account | None, prepared: PreparedData, population: Population, shape: TaskShape) -> Rounds:
    """The rounds. All that is drawn follows from a key, which nodes are not told; what devices hold follows from the seed, which they know."""
    config, started, work, run = training.config, training.started, training.work, training.run
    key = key_of(config.randomness, training.seed, run.checkpoint)
    federation = config.federation
    loaded = LoadedModel(started.model, started.encoder, started.network, shape, {})
    size = prepared.facts["public_size"]
    noise = _check_noise(config, size, key)
    test, timeline = prepared.split("test"), federation.timeline
    scorer = Scorer(loaded, config.metric, test, population, config.evaluation, timeline, federation.rounds, training.seed, noise, size)
    if run.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(run.device)
    return Rounds(
        federation=federation,
        work=work,
        layout=layout,
        holdings=Holdings(stream_of(population, prepared.split("train")), work.encoded.records.numpy(), federation.timeline, training.seed),
        activity=population.activity,
        check=lambda round: scorer.check(round, run.device),
        every=config.evaluation.every,
        seed=key,
        folder=run.checkpoint / "federation",
        report=run.report,
        series=config.metric.metric("train"),
        aggregation=_aggregation(config, account, work, key),
        public_records=getattr(config.privacy, "public_records", None),
    )


def _check_noise(config: FederateConfig, public_size: int | None, key: int) -> NoisySums | None:
    """The noise on what devices hand over at checks, where it is asked for."""
    price, block = price_of_checks(config.federation, config.evaluation, public_size), getattr(config.evaluation, "private", None)
    if block is None:
        return None
    bounds = config.metric.record_bounds(block.most_loss)
    if price is None or bounds is None:
        raise TypeError("private checks need the public number of devices, and a metric whose sums have public bounds")
    return NoisySums(bounds, block.most_records, price.noise_multiplier, key)


def _write_log(rounds: Rounds, folder: Path, secret: bool) -> None:
    """Every check, and the log of every device asked, by index in ``devices.parquet`` of the population: not where who was asked is a secret."""
    if not secret:
        pd.DataFrame(rounds.log.arrays()).to_parquet(folder / LOG, index=False)
    scores: list[dict[str, Any]] = [asdict(score) for score in rounds.progress.scores]
    pd.DataFrame(scores).to_parquet(folder / SCORES, index=False)
