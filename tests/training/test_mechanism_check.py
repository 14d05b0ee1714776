"""The step that checks a mechanism: it works beside the training, with its config, and uses up nothing; what it writes are numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from tasks.core.graph import Graph
from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.randomness import KEY_FILE
from tasks.training.checking import accounted
from tasks.training.mechanism_check import CHECK_MECHANISM, FACTS, CheckConfig, check_mechanism
from tasks.training.neighbours import Fewer, public_numbers
from tasks.training.steps import TRAIN, TrainConfig
from tasks.training.trainer import Trainer
from tasks.training.watched import Watched, apart, length, still, stretched, watched
from tests.conftest import NewRun, Prepare
from tests.models.samples import farthest
from tests.training.private import block, config
from tests.training.trainings import BILSTM

SMALL = {**BILSTM, "tokenizer": {"kind": "hashing", "buckets": 64, "max_tokens": 12}}
USERS: dict[str, Any] = {"unit": {"kind": "user", "max_examples": 3}}


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def data(prepare: Prepare) -> PreparedData:
    return prepare(block("joint", users=30))


def trainer_of(settings: TrainConfig, data: PreparedData) -> Trainer:
    return Trainer.of(settings, {"data": data.folder}, 3)


@pytest.fixture
def found(data: PreparedData, new_run: NewRun) -> Iterator[Watched]:
    settings = config(SMALL, "book-keeping", privacy={"clipping": {"rule": {"kind": "adaptive-quantile", "initial": 0.5}}})
    with watched(trainer_of(settings, data), settings, 3, new_run(7)) as made:
        yield made


def test_a_secret_trial_is_checked_by_the_seed_and_nothing_is_charged(data: PreparedData, new_run: NewRun) -> None:
    open_, secret = (config(SMALL, "book-keeping", randomness, submission=name) for randomness, name in (("reproducible", None), ("secret", "s1")))
    checks = [CheckConfig.of(settings, 2) for settings in (open_, secret)]
    assert checks[0] == checks[1] and checks[0].trial.randomness == "reproducible" and CHECK_MECHANISM.charge is None and TRAIN.charge is not None
    graph = Graph("s1")
    assert len({graph.add(CHECK_MECHANISM, check, {}, 3, "check").key for check in checks}) == 1
    run = new_run(7)
    check_mechanism(checks[1], {"data": data.folder}, 3, run)
    assert not list(run.checkpoint.rglob(KEY_FILE)) and [path.name for path in run.folder.iterdir()] == [FACTS]


def test_what_is_written_is_no_text_and_no_id(data: PreparedData, new_run: NewRun) -> None:
    run = new_run(7)
    check_mechanism(CheckConfig.of(config(SMALL, "book-keeping", privacy=USERS), 2), {"data": data.folder}, 3, run)
    written = (run.folder / FACTS).read_text()
    records = data.split("train")
    assert not any(f'"{value}"' in written for name in ("id", "text", "user", "label") for value in records[name])
    assert json.loads(written)["moved"]["units"] > 0


def run_again(settings: TrainConfig, data: PreparedData, run: StepRun) -> str:
    check_mechanism(CheckConfig.of(settings, 2), {"data": data.folder}, 3, run)
    return (run.folder / FACTS).read_text()


def test_a_check_that_is_made_again_says_the_same(data: PreparedData, new_run: NewRun) -> None:
    assert len({run_again(config(SMALL, "book-keeping"), data, new_run(7)) for _ in range(2)}) == 1


def test_a_data_set_with_a_record_less(data: PreparedData) -> None:
    fewer, records = Fewer(data.folder, "example"), data.split("train")
    pd.testing.assert_frame_equal(fewer.split("train"), records.iloc[:-1])
    assert fewer.facts["counts"]["train"] == len(records) - 1 == data.facts["counts"]["train"] - 1
    assert {name for name, value in data.facts.items() if fewer.facts[name] != value} <= {"counts", "users"}
    pd.testing.assert_frame_equal(fewer.split("test"), data.split("test"))


def test_a_data_set_with_a_user_less(data: PreparedData) -> None:
    """The one that is named last; the others keep their numbers."""
    fewer, records = Fewer(data.folder, "user"), data.split("train")
    last = records["user"].unique()[-1]
    pd.testing.assert_frame_equal(fewer.split("train"), records[records["user"] != last].reset_index(drop=True))
    assert list(fewer.split("train")["user"].unique()) == list(records["user"].unique()[:-1])
    assert fewer.facts["users"]["train"] == data.facts["users"]["train"] - 1


def test_sums_that_are_looked_at_leave_no_trace(found: Watched) -> None:
    """A rule that adapts goes on from where it was, and the mechanism's own steps are those of a training that nobody looked at."""
    batch, before = found.found.batches[0], found.gradient.kept
    numbers = public_numbers(found, 9)
    found.summed(batch, 0)
    found.alone(batch[:1], 0)
    found.by_loop(batch, 0)
    assert found.gradient.kept == before and getattr(found.gradient.clipper.rule, "balance") == 0 and public_numbers(found, 9) == numbers  # noqa: B009
    found.release(batch, 0)
    assert found.gradient.kept != before and public_numbers(found, 9) != numbers


def test_the_twin_adds_up_what_the_engine_does(found: Watched) -> None:
    """On the same weights, by code of its own; and where the weights are others, it does not."""
    batch = found.found.batches[0]
    by_engine, by_loop = found.summed(batch, 0)[0], found.by_loop(batch, 0)
    assert farthest(by_engine, by_loop) < 1e-5 and length(by_engine) > 0.1 and apart(by_engine, by_loop) < 1e-5
    with torch.no_grad():
        next(iter(found.twin.trained.values())).add_(0.5)
    assert apart(by_engine, found.by_loop(batch, 0)) > 1e-3


def test_losses_are_stretched_for_a_while(found: Watched) -> None:
    one = found.found.batches[0][:1]
    norm, clipped = found.alone(one, 0)
    with stretched(found.gradient.clipper, 100.0):
        stretched_norm, stretched_clipped = found.alone(one, 0)
    assert stretched_norm == pytest.approx(100 * norm, rel=1e-5) and found.alone(one, 0) == (norm, clipped)
    assert clipped <= stretched_clipped <= 0.5 * (1 + 1e-6)


class Rated(nn.Module):
    """Keeps a rate of dropout as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.attention_dropout, self.scale, self.name = nn.Dropout(0.3), 0.2, 0.5, "drop"


def test_no_dropout_is_left() -> None:
    module = Rated()
    still(module)
    assert (module.dropout.p, module.attention_dropout, module.scale, module.name) == (0.0, 0.0, 0.5, "drop")


@pytest.mark.parametrize("noise", [{"kind": "constant"}, {"kind": "linear", "stages": 2}])
@pytest.mark.parametrize("engine", ["book-keeping", "micro-batch"])
@pytest.mark.parametrize("sampler", [{"kind": "poisson"}, {"kind": "cyclic", "separation": 2}])
def test_the_accounted_multipliers_are_those_that_were_composed(noise: dict[str, Any], engine: str, sampler: dict[str, Any], data: PreparedData) -> None:
    """Not only those that the noise says of itself: releases that were composed with more noise would be seen."""
    settings = config(SMALL, "loop", privacy={"noise": noise, "sampler": sampler, "clipping": {"engine": {"kind": engine}}, "noise_multiplier": 4.0})
    account, privacy = trainer_of(settings, data).account, settings.privacy
    assert account is not None and isinstance(privacy, DpSgd)
    said = [privacy.noise.multiplier(account.noise_multiplier, step, account.schedule.steps) for step in range(account.schedule.steps)]
    assert accounted(account, privacy.noise, privacy.clipping.engine.moves) == pytest.approx(said)
    releases = tuple(replace(release, noise_multiplier=3 * release.noise_multiplier) for release in account.mechanism.releases)
    other = accounted(replace(account, mechanism=replace(account.mechanism, releases=releases)), privacy.noise, privacy.clipping.engine.moves)
    assert (other == pytest.approx([3 * value for value in said])) == (sampler["kind"] == "poisson")


def test_steps_without_records_are_told(data: PreparedData, new_run: NewRun, tmp_path: Path) -> None:
    """At a rate of 1 in 120 none of the 105 records takes part in the first step with this key, by chance of 0.4."""
    settings, run = config(SMALL, "book-keeping", training={"expected_batch_size": 1}), new_run(7)
    for seed in range(20):
        check_mechanism(CheckConfig.of(settings, 1), {"data": data.folder}, seed, run)
        facts = json.loads((run.folder / FACTS).read_text())
        if facts["moved"] is None:
            break
    assert facts["moved"] is None and facts["noise"]["numbers"] > 0 and facts["noise"]["sum"] == 0
