"""Devices on nodes: the cohorts and, to float tolerance, the model of the in-process engine; what nodes see; what becomes of a round that loses some.

Nodes run in this process here, with the client app, messages and strategy of the real thing. ``test_flower_simulation.py`` and
``test_flower_deployment.py`` run Flower's own engines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from flwr.app import Message

from tasks.core.errors import UserError
from tasks.data.prepared import PreparedData
from tasks.federated.contributions import Contribution, contribution
from tasks.federated.flower.fleet import Fleet, NodeFailed
from tasks.federated.flower.layout import DevicesLost
from tasks.federated.flower.messages import answers_in, arrays, asks_in, order, reply, tensors, told_in
from tasks.federated.flower.node import Answer, Ask
from tasks.federated.flower.shares import write_share
from tasks.federated.jobs import Job
from tasks.federated.population import Population
from tasks.federated.rounds import Rounds
from tasks.federated.totals import RunningTotal
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tests.conftest import Prepare
from tests.federated.nodes import APP, DATA, SEED, LocalGrid, by_nodes, federation, folders, grid, training, weights
from tests.federated.trained import private_aggregation

POISSON = {"kind": "activity-proportional", "alpha": 1.0, "design": "poisson"}
STUDIES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "activity": {"selection": POISSON, "correction": {"kind": "horvitz-thompson"}},
    "empty-rounds": {"selection": POISSON, "correction": {"kind": "horvitz-thompson"}, "cohort_size": 1, "rounds": 6},
    "momentum": {
        "server": {"kind": "momentum"},
        "client": {"batch_size": 3, "epochs": 2, "proximal": 0.5, "optimizer": {"kind": "adamw", "learning_rate": 0.01}},
    },
    "late": {"stragglers": {"over_selection": 1.5}, "availability": {"kind": "bernoulli", "probability": 0.7}},
    "windows": {"timeline": {"kind": "continual", "windows": 3, "by": "count", "retention": {"kind": "replay", "k": 2}}, "rounds": 6},
    "augmented": {"client": {"batch_size": 4, "augmentation": {"sides": "two"}, "optimizer": {"kind": "sgd", "learning_rate": 0.5}}},
    "frozen": {"client": {"batch_size": 4, "freeze": ["intercept"], "optimizer": {"kind": "sgd", "learning_rate": 0.5}}},
}


@pytest.fixture(scope="module")
def prepared(prepare: Prepare) -> PreparedData:
    return prepare(DATA)


@pytest.fixture(scope="module")
def inputs(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folders(prepared, tmp_path_factory.mktemp("inputs"))


def devices(inputs: dict[str, Path]) -> int:
    return len(Population.load(inputs["population"]).names)


def ran(rounds: Rounds) -> Rounds:
    rounds.run()
    return rounds


def equal(one: Rounds, other: Rounds) -> bool:
    """Cohorts and n_i exactly, aggregates within rtol 1e-5 and atol 1e-6."""
    mine, theirs = one.log.arrays(), other.log.arrays()
    exact = all(np.array_equal(mine[name], theirs[name]) for name in ("round", "client", "answered", "draws", "weight", "activity", "examples", "steps"))
    close = all(np.allclose(mine[name], theirs[name], rtol=1e-5, atol=1e-6, equal_nan=True) for name in ("expected", "mean_loss", "rms_loss", "seconds"))
    return exact and close and torch.allclose(weights(one), weights(other), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nodes", ["each", "two"])
@pytest.mark.parametrize("study", STUDIES)
def test_nodes_give_the_cohorts_and_the_model_of_the_in_process_engine(study: str, nodes: str, prepared: PreparedData, tmp_path: Path) -> None:
    block = federation(**STUDIES[study])
    given = folders(prepared, tmp_path / "inputs", block)
    count = devices(given) if nodes == "each" else 2
    here = training(given, tmp_path / "here", block)
    begun = weights(here).clone()
    ran(here)
    there = ran(training(given, tmp_path / "there", block, by_nodes(grid(given, count), count)))
    assert equal(here, there)
    assert (weights(here) - begun).abs().max() > 1e-3
    if study == "empty-rounds":
        sizes = [len(entry.client) for entry in there.log.rounds]
        assert 0 in sizes and max(sizes) > 0


@pytest.mark.parametrize("labels", [{"kind": "confirmed", "labelled": 0.5}, {"kind": "self-training", "labelled": 0.5, "threshold": 0.2, "warm_up": 1}])
def test_devices_label_their_records_alike_on_nodes(labels: dict[str, Any], inputs: dict[str, Path], tmp_path: Path) -> None:
    block = federation()
    here = ran(training(inputs, tmp_path / "here", block, labels=labels))
    there = ran(training(inputs, tmp_path / "there", block, by_nodes(grid(inputs, 2), 2), labels=labels))
    assert torch.allclose(weights(here), weights(there), rtol=1e-5, atol=1e-6)
    with_all = ran(training(inputs, tmp_path / "all", block))
    assert not torch.allclose(weights(here), weights(with_all), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("planted", ["weight", "seed", "window"])
def test_a_node_that_does_something_else_would_be_seen(planted: str, prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control of the equality."""
    block = federation(**STUDIES["windows"])
    given = folders(prepared, tmp_path / "inputs", block)
    wrong: dict[str, Any] = {
        "weight": lambda asks, window: ([Ask(ask.client, ask.seed, ask.weight * 1.01) for ask in asks], window),
        "seed": lambda asks, window: ([Ask(ask.client, ask.seed + 1, ask.weight) for ask in asks], window),
        "window": lambda asks, window: (asks, 0),
    }

    def other(content: Any) -> Any:
        asks, window, *others = asks_in(content)
        return *wrong[planted](asks, window), *others

    monkeypatch.setattr("tasks.federated.flower.client_app.asks_in", other)
    here, there = training(given, tmp_path / "here", block), training(given, tmp_path / "there", block, by_nodes(grid(given, 2), 2))
    ran(here)
    if planted == "window":
        with pytest.raises(UserError, match="its node has other data or another population"):
            there.run()
    else:
        assert not equal(here, ran(there))


def test_a_node_needs_the_records_of_its_own_devices_and_no_others(inputs: dict[str, Path], tmp_path: Path) -> None:
    whole, population = pd.read_parquet(inputs["data"] / "train.parquet"), Population.load(inputs["population"])
    shares = [write_share(inputs["data"], inputs["population"], partition, 2, tmp_path / f"node-{partition}") for partition in range(2)]
    for partition, share in enumerate(shares):
        own = whole[(population.train >= 0) & (population.train % 2 == partition)]
        assert pd.read_parquet(share["data"] / "train.parquet")["id"].tolist() == own["id"].tolist()
        told = Population.load(share["population"])
        assert told.train_ids is not None and set(told.train_ids) == {*own["id"], ""} and (told.test == -1).all()
        assert sorted(path.name for path in share["data"].iterdir()) == ["data.json", "train.parquet"]
    apart = LocalGrid({partition: (APP, {name: str(path) for name, path in share.items()}) for partition, share in enumerate(shares)})
    here = ran(training(inputs, tmp_path / "here", federation()))
    assert equal(here, ran(training(inputs, tmp_path / "there", federation(), by_nodes(apart, 2))))
    swapped = LocalGrid({partition: (APP, {name: str(path) for name, path in shares[1 - partition].items()}) for partition in range(2)})
    with pytest.raises(UserError):
        training(inputs, tmp_path / "swapped", federation(), by_nodes(swapped, 2)).run()
    halves = {**inputs, "data": shares[0]["data"]}
    with pytest.raises(NodeFailed, match="records that it holds are not in this node's data folder"):
        training(inputs, tmp_path / "half", federation(), by_nodes(grid(halves, 2), 2)).run()


def test_the_cohort_is_ours_whatever_ids_nodes_have(inputs: dict[str, Path], tmp_path: Path) -> None:
    """Flower's own draw differs between runs of one seed: it samples node ids, which are random (reference, anchor A8)."""
    grids = [grid(inputs, devices(inputs)) for _ in range(2)]
    runs = [ran(training(inputs, tmp_path / str(place), federation(), by_nodes(found, devices(inputs)))) for place, found in enumerate(grids)]
    assert torch.equal(weights(runs[0]), weights(runs[1]))  # not only close: devices are summed in one order
    assert set(grids[0].contexts).isdisjoint(grids[1].contexts)
    for found in grids:
        asked = [message for message in found.seen if message.metadata.message_type == "train"]
        queried = [message for message in found.seen if message.metadata.message_type == "query"]
        assert len(queried) == len(found.contexts) and len(asked) == 3 * 4
        for message in asked:
            (ask,) = asks_in(message.content)[0]
            assert ask.client == found.contexts[message.metadata.dst_node_id].node_config["partition-id"]


def test_a_round_completes_without_lost_devices_and_weighs_nobody_anew(inputs: dict[str, Path], tmp_path: Path) -> None:
    block = federation(rounds=1, cohort_size=8)
    there = training(inputs, tmp_path / "there", block, by_nodes(grid(inputs, 2, lambda partition: partition == 1), 2, "complete"))
    whole = training(inputs, tmp_path / "whole", block)
    begun = weights(there).clone()
    ran(there)
    ran(whole)
    entry, complete = there.log.rounds[0], whole.log.rounds[0]
    lost = entry.client % 2 == 1
    assert 0 < lost.sum() < len(lost)
    assert np.array_equal(entry.client, complete.client) and np.array_equal(entry.answered, ~lost)
    assert np.array_equal(entry.weight, np.where(lost, 0, complete.weight)) and np.isnan(entry.mean_loss[lost]).all()
    assert there.costs.uploads == (~lost).sum() and there.costs.downloads == len(lost)
    alone = training(inputs, tmp_path / "alone", block)
    total = RunningTotal(alone.work.sent())
    alone.view(0)
    jobs = [alone._job(int(client), 0).weighted(weight) for client, weight in zip(entry.client[~lost], entry.weight[~lost], strict=True)]
    alone.layout.train(jobs, total)
    assert torch.allclose(weights(there) - begun, torch.cat([part.flatten() for part in total.sum()]).float(), atol=1e-6)


def test_a_round_that_must_not_lose_devices_fails_and_goes_on_later(inputs: dict[str, Path], tmp_path: Path) -> None:
    failing = {"now": 0}

    def lost(partition: int) -> bool:
        failing["now"] += 1
        return failing["now"] == 4  # a message of the second round

    first = training(inputs, tmp_path / "there", federation(), by_nodes(grid(inputs, 2, lost), 2))
    first.checkpoint_seconds = 0.0
    with pytest.raises(DevicesLost, match=r"of 4 devices did not answer .* Run it again to go on"):
        first.run()
    assert first.progress.round == 1
    again = ran(training(inputs, tmp_path / "there", federation(), by_nodes(grid(inputs, 2), 2)))
    assert equal(ran(training(inputs, tmp_path / "here", federation())), again)


@pytest.mark.parametrize("on_failure", ["complete", "fail"])
def test_a_round_that_loses_everybody_is_no_round(on_failure: str, inputs: dict[str, Path], tmp_path: Path) -> None:
    rounds = training(inputs, tmp_path, federation(), by_nodes(grid(inputs, 2, lambda partition: True), 2, on_failure))
    with pytest.raises(DevicesLost, match="4 of 4 devices"):
        rounds.run()


def test_code_that_fails_on_a_node_is_no_lost_device(inputs: dict[str, Path], tmp_path: Path) -> None:
    rounds = training(inputs, tmp_path, federation(), by_nodes(grid({"data": inputs["data"]}, 2), 2, "complete"))
    with pytest.raises(NodeFailed, match=r"node \d failed: .*names no folder 'population'"):
        rounds.run()


def test_nodes_that_never_join_and_strangers_are_told(inputs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match=r"2 of 3 nodes joined within 0\.2 seconds"):
        Fleet(grid(inputs, 2), 3, 0.2).gather()
    with pytest.raises(UserError, match="a node says that it is partition 2, of 2"):
        Fleet(grid(inputs, 3), 2, 0.2).gather()


def test_messages_say_back_what_was_said() -> None:
    rule = CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": 0.25})
    assert isinstance(rule, ClipRule)
    sent = [torch.randn(3, 4), torch.randn(5)]
    asks = [Ask(3, (1 << 63) - 1, 0.125), Ask(11, 7, 0.0)]
    content = order("{}", arrays(sent), asks, 2, 5, rule, 8.0)
    assert asks_in(content) == (asks, 2, 5, rule, 8.0)
    assert all(torch.equal(one, other) for one, other in zip(told_in(content)[1], sent, strict=True)) and told_in(content)[0] == "{}"
    given = [contribution([tensor + 1 for tensor in sent], sent, 1.0, rule), contribution(sent, sent, 1.0, rule)]
    answers = [Answer(ask.client, made, 9, 0.5, float("nan")) for ask, made in zip(asks, given, strict=True)]
    for before, after in zip(answers, answers_in(reply(answers)), strict=True):
        assert (before.client, before.examples, before.mean_loss, before.given.unclipped) == (
            after.client,
            after.examples,
            after.mean_loss,
            after.given.unclipped,
        )
        assert all(torch.equal(one, other) for one, other in zip(before.given.tensors, after.given.tensors, strict=True)) and np.isnan(after.rms_loss)


class Watched(RunningTotal):
    """Keeps how long each contribution is."""

    def take(self, job: Job, given: Contribution) -> None:
        self.lengths = [*getattr(self, "lengths", []), float(torch.cat([tensor.double().flatten() for tensor in given.tensors]).norm())]
        super().take(job, given)


def test_a_clip_rule_is_obeyed_on_the_node(inputs: dict[str, Path], tmp_path: Path) -> None:
    """A node makes its contribution as short as the server's total says, and the sum is that of the in-process engine."""
    here = training(inputs, tmp_path / "here", federation())
    there = training(inputs, tmp_path / "there", federation(), by_nodes(grid(inputs, 2), 2))

    def total(rounds: Rounds, rule: ClipRule | None) -> Watched:
        rounds.view(0)
        found = Watched(rounds.work.sent(), rule, 4.0)
        rounds.layout.train([rounds._job(client, 0).weighted(0.25 * (client + 1)) for client in range(4)], found)
        return found

    free = total(there, None)
    bound = float(np.median(free.lengths))
    rule = CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": bound})
    assert isinstance(rule, ClipRule)
    clipped, same = total(there, rule), total(here, rule)
    assert clipped.unclipped == 2 and free.unclipped == 4 and max(free.lengths) > bound >= max(clipped.lengths)
    assert np.allclose(clipped.lengths, np.minimum(free.lengths, bound), rtol=1e-5) and np.allclose(clipped.lengths, same.lengths, rtol=1e-5)
    assert all(torch.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in zip(clipped.sum(), same.sum(), strict=True))


def test_private_rounds_on_nodes_are_those_of_the_in_process_engine(inputs: dict[str, Path], tmp_path: Path) -> None:
    """With a clip norm that adapts: a node obeys that of its round, and its count decides the next."""
    block = federation(rounds=6, selection={"kind": "uniform", "design": "poisson"}, correction={"kind": "equal"})
    privacy = {"noise_multiplier": 1.5, "clipping": {"rule": {"kind": "adaptive-quantile", "initial": 0.3}}}
    runs = [training(inputs, tmp_path / "here", block), training(inputs, tmp_path / "there", block, by_nodes(grid(inputs, 2), 2))]
    for rounds in runs:
        rounds.aggregation = private_aggregation(block, privacy, rounds.work, SEED)
        ran(rounds)
    here, there = runs
    assert equal(here, there) and here.aggregation.kept == there.aggregation.kept != {"clip_norm": 0.3}


def test_no_array_is_read_as_a_pickle() -> None:
    from flwr.app import Array

    with pytest.raises(ValueError, match="allow_pickle"):
        tensors(type(arrays([]))({"0": Array("object", (1,), "numpy.ndarray", _pickled())}))


def _pickled() -> bytes:
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.array([Message], dtype=object), allow_pickle=True)
    return buffer.getvalue()
