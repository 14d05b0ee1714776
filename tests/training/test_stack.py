"""A stack: every model is trained as it would be alone, whatever the others do, and a killed stack goes on as if it had not been."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.training import checkpoint, stack
from tasks.training.guards import TrainingGuard
from tasks.training.loop import TrainingDiverged
from tasks.training.stack import NotStackable, StackedModels, StackedTraining
from tests.conftest import Prepare
from tests.training import stacks
from tests.training.stacks import MODELS, SEEDS, begun, config, distance, largest_difference, pools, single, trained
from tests.training.trainings import MOMENTUM, Clock, Killed, killed_at

TRAININGS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "momentum": {"optimizer": {**MOMENTUM, "weight_decay": 0.01}, "schedule": {"kind": "cosine"}},
    "clipped": {"max_gradient_norm": 0.3},
}
CASES = [*((model, "adamw") for model in MODELS), ("bilstm", "momentum"), ("bert", "clipped")]
TOLERANCE = 1e-4
"""Adam divides by the root of tiny gradients, so it makes rounding larger."""


@pytest.mark.parametrize(("model", "training"), CASES)
def test_every_model_is_trained_as_it_would_be_alone(model: str, training: str, prepare: Prepare, tmp_path: Path) -> None:
    how, data = config(model, **TRAININGS[training]), pools(model, prepare)
    found = stacks.stack(how, data, tmp_path / "stack")
    found.loop.run()
    assert len(set(found.models.steps)) > 1, "some end before others"
    for seed, own, weights in zip(SEEDS, data, trained(found), strict=True):
        alone = single(how, own, seed, tmp_path / str(seed))
        assert largest_difference(weights, alone) < TOLERANCE
        assert largest_difference(weights, {name: value.detach() for name, value in begun_weights(how, own, seed, tmp_path)}) > 100 * TOLERANCE


def begun_weights(how: Any, data: Any, seed: int, folder: Path) -> Any:
    [one], _ = begun(how, [data], folder / "begun", [seed])
    return one.started.network.named_parameters()


@pytest.mark.parametrize("fault", ["one rate for all", "one norm for all", "goes on to the end", "another's order"])
def test_a_model_that_is_not_trained_as_alone_would_be_seen(fault: str, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how, data, seeds = config("linear", max_gradient_norm=0.3), pools("linear", prepare), list(SEEDS)
    match fault:
        case "one rate for all":
            monkeypatch.setattr(stack, "STEPS", "forgotten")
        case "one norm for all":
            norm = 0.3 / len(SEEDS) ** 0.5
            monkeypatch.setattr(stack, "_clip", lambda gradients, most: [value.mul_(norm / value.norm()) for value in gradients.values()])
        case "goes on to the end":
            monkeypatch.setattr(stack, "step_count", lambda training, batches: 9)
        case _:
            seeds[0] = 9
    models, run = begun(how, data, tmp_path / "stack")
    found = StackedTraining(models, seeds, how.training, run, run.checkpoint)
    found.loop.run()
    alone = [single(how, own, seed, tmp_path / str(seed)) for seed, own in zip(SEEDS, data, strict=True)]
    assert max(map(largest_difference, trained(found), alone)) > 10 * TOLERANCE


def test_a_batch_in_pieces_has_the_gradient_of_the_whole(prepare: Prepare, tmp_path: Path) -> None:
    """Three models, at most seven examples at once: two of each."""
    how, data = config("bert", max_gradient_norm=0.3), pools("bert", prepare)
    whole, pieces = (stacks.stack(how, data, tmp_path / str(piece), piece=piece) for piece in (None, 7))
    for found in (whole, pieces):
        found.loop.run()
    assert max(map(largest_difference, trained(whole), trained(pieces))) < TOLERANCE
    losses = [json.loads((tmp_path / name / "report" / "metrics.jsonl").read_text().splitlines()[-1])["value"] for name in ("None", "7")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_models_draw_dropout_of_their_own(prepare: Prepare, tmp_path: Path) -> None:
    """Twins, alike in everything: without dropout they stay alike, with it they part."""
    parted = {}
    for dropout in (0.0, 0.4):
        how = config("bilstm")
        how = how.model_copy(update={"model": how.model.model_copy(update={"dropout": dropout})})
        found = stacks.stack(how, pools("bilstm", prepare, [3, 3]), tmp_path / str(dropout), [3, 3])
        found.loop.run()
        parted[dropout] = largest_difference(*trained(found, 2))
    assert parted[0.0] < TOLERANCE < 1e-2 < parted[0.4]


RESUMED = [("bert", {"max_gradient_norm": 0.3}), ("bilstm", {"optimizer": MOMENTUM})]


@pytest.mark.parametrize(("model", "training"), RESUMED)
def test_a_killed_stack_goes_on_as_if_it_had_not_been(
    model: str, training: dict[str, Any], prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with dropout; killed some steps after a checkpoint, and again where one model has ended already."""
    monkeypatch.setattr(time, "monotonic", Clock())
    how = config(model, **training)
    how, data = how.model_copy(update={"model": how.model.model_copy(update={"dropout": 0.2})}), pools(model, prepare)
    whole = stacks.stack(how, data, tmp_path / "whole")
    ended = whole.loop.run()
    for kill in (5, ended.step - 1):
        broken = stacks.stack(how, data, tmp_path / "broken")
        broken.loop.checkpoint_seconds, broken.loop.gradient = 6.0, killed_at(kill, broken.loop.gradient)
        with pytest.raises(Killed):
            broken.loop.run()
        [kept] = (tmp_path / "broken" / "checkpoint").iterdir()
        assert 0 < int(kept.name.removeprefix("step-")) <= kill
    torch.manual_seed(99)
    resumed = stacks.stack(how, data, tmp_path / "broken")
    progress = resumed.loop.run()
    assert (progress.step, progress.examples) == (ended.step, ended.examples)
    assert max(map(largest_difference, trained(whole), trained(resumed))) == 0


@pytest.mark.parametrize("lost", ["weights", "optimizer"])
def test_what_a_checkpoint_forgets_would_be_seen(lost: str, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())
    how, data = config("linear"), pools("linear", prepare)
    whole, broken = (stacks.stack(how, data, tmp_path / name) for name in ("whole", "broken"))
    whole.loop.run()
    broken.loop.checkpoint_seconds, broken.loop.gradient = 6.0, killed_at(5, broken.loop.gradient)
    with pytest.raises(Killed):
        broken.loop.run()
    resumed = stacks.stack(how, data, tmp_path / "broken")
    with monkeypatch.context() as patched:
        if lost == "weights":
            patched.setattr(checkpoint, "restore", lambda network, tensors: None)
        else:
            patched.setattr(resumed.loop.optimizer, "load_state_dict", lambda state: None)
        resumed.loop.run()
    assert max(map(largest_difference, trained(whole), trained(resumed))) > TOLERANCE


@pytest.mark.parametrize("model", ["bilstm", "bert", "gpt2"])
def test_bf16_is_as_near_as_bf16_is_to_itself(model: str, prepare: Prepare, tmp_path: Path) -> None:
    """A stack's bf16 differs from a single training's by no more than that one's from fp32, twice over; its weights stay fp32."""
    how, data = config(model, precision="bf16"), pools(model, prepare)
    found = stacks.stack(how, data, tmp_path / "stack")
    found.loop.run()
    weights = trained(found)[0]
    alone = {precision: single(config(model, precision=precision), data[0], SEEDS[0], tmp_path / precision) for precision in ("fp32", "bf16")}
    assert {value.dtype for value in weights.values()} == {torch.float32}
    assert distance(weights, alone["fp32"]) > 0
    assert distance(weights, alone["bf16"]) < 2 * distance(alone["fp32"], alone["bf16"])


def test_a_stack_that_diverged_says_so(prepare: Prepare, tmp_path: Path) -> None:
    how = config("linear", optimizer={"kind": "sgd", "learning_rate": 1000, "momentum": 0.99, "weight_decay": 1}, epochs=30, schedule={})
    with pytest.raises(TrainingDiverged, match=r"not a number after step \d+: lower training\.optimizer\.learning_rate"):
        stacks.stack(how, pools("linear", prepare), tmp_path).loop.run()


def test_progress_says_how_many_are_trained(prepare: Prepare, tmp_path: Path) -> None:
    found = stacks.stack(config("linear"), pools("linear", prepare), tmp_path)
    progress = found.loop.run()
    said = json.loads((tmp_path / "report" / "progress.json").read_text())
    assert said["done"] == said["total"] == max(found.models.steps) and said["note"].endswith("; 3 models at once")
    counts = [found.put_back(model) for model in range(3)]
    assert sorted((steps for steps, _ in counts), reverse=True) == list(found.models.steps)
    assert sum(examples for _, examples in counts) == progress.examples


def test_a_model_that_is_not_trained_is_noticed(prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two change, the third does not: the stack as a whole would look trained."""
    given = StackedModels.set_gradients

    def without_third(models: StackedModels, gradients: Any) -> None:
        for gradient in gradients.values():
            gradient[2:] = 0
        given(models, gradients)

    monkeypatch.setattr(StackedModels, "set_gradients", without_third)
    how = config("linear", optimizer={"kind": "sgd"}, schedule={})
    with pytest.raises(TrainingGuard, match="did not change at the first step"):
        stacks.stack(how, pools("linear", prepare), tmp_path).loop.run()


@pytest.mark.parametrize(
    ("fault", "said"),
    [("shape", "not of one shape"), ("frozen", "embedding.weight is not trained, and differs"), ("unused", "spare takes no part in the loss")],
)
def test_models_that_do_not_fit_are_not_stacked(fault: str, said: str, prepare: Prepare, tmp_path: Path) -> None:
    how, data = config("bilstm"), pools("bilstm", prepare)
    models, run = begun(how, data, tmp_path)
    for one in models:
        network: Any = one.started.network
        match fault:
            case "frozen":
                network.embedding.weight.requires_grad_(False)
            case "unused":
                network.spare = torch.nn.Parameter(torch.zeros(1))
    if fault == "shape":
        models[1].started.network.intent = torch.nn.Linear(16, 7)
    with pytest.raises(NotStackable, match=said):
        StackedTraining(models, SEEDS, how.training, run, run.checkpoint)


def test_frozen_weights_that_are_alike_are_shared(prepare: Prepare, tmp_path: Path) -> None:
    how, data = config("bilstm"), pools("bilstm", prepare)
    models, run = begun(how, data, tmp_path)
    for one in models:
        network: Any = one.started.network
        network.embedding.weight.requires_grad_(False).copy_(models[0].started.network.embedding.weight)  # type: ignore[union-attr]
    found = StackedTraining(models, SEEDS, how.training, run, run.checkpoint)
    found.loop.run()
    first, second, _ = trained(found)
    assert torch.equal(first["embedding.weight"], second["embedding.weight"]) and not torch.equal(first["intent.weight"], second["intent.weight"])


def test_the_network_that_computes_is_not_changed(prepare: Prepare, tmp_path: Path) -> None:
    found = stacks.stack(config("bert"), pools("bert", prepare), tmp_path)
    before = {name: value.detach().clone() for name, value in found.network.named_parameters()}
    found.loop.run()
    assert all(torch.equal(value, before[name]) for name, value in found.network.named_parameters())
