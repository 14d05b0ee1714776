"""Local training: both layouts give the sum of what each device would have changed alone, and repeat themselves bit for bit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from tasks.core.errors import UserError
from tasks.federated.jobs import Job
from tasks.federated.local import Update, Work, trained_names
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.models.batches import network_inputs
from tasks.models.losses import per_example_loss
from tests.federated.layouts import MODELS_OF_TASK, SIZES, jobs, started, trained, work

CLIENTS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": {"kind": "sgd", "learning_rate": 0.1}},
    "momentum": {"optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}},
    "adamw": {"optimizer": {"kind": "adamw", "learning_rate": 0.01}},
    "fedprox": {"optimizer": {"kind": "sgd", "learning_rate": 0.1}, "proximal": 1.0},
    "short": {"optimizer": {"kind": "sgd", "learning_rate": 0.1}, "max_steps": 3},
}


def twin(shared: Work, given: list[Job]) -> tuple[Update, list[float]]:
    """Each device on a copy of the whole network with torch's own optimizer, one update after another: slow and plain."""
    total = {name: torch.zeros_like(parameter, dtype=torch.float64) for name, parameter in shared.parameters.items()}
    means = []
    for job in given:
        network = copy.deepcopy(shared.network).train()
        mine = {name: parameter for name, parameter in network.named_parameters() if name in shared.trained}
        optimizer = shared.client.optimizer.build(mine.values())
        losses = []
        for indices in job.batches():
            batch = shared.encoded.batch(indices)
            found = per_example_loss(network(**network_inputs(batch)), batch)
            away = sum(((parameter - shared.parameters[name].detach()) ** 2).sum() for name, parameter in mine.items())
            optimizer.zero_grad()
            (found.mean() + shared.client.proximal / 2 * away).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += found.tolist()
        means.append(float(np.mean(losses)))
        assert len(losses) == job.examples
        for name, parameter in mine.items():
            total[name] += job.weight * (parameter.detach().double() - shared.parameters[name].detach().double())
    return total, means


def largest_difference(one: Update, other: Update) -> float:
    assert one.keys() == other.keys() and one
    return max(float((one[name] - other[name]).abs().max()) for name in one)


FEW = {"bilstm-qa": "sgd", "bart": "adamw"}
"""Models that are tried under one client alone: they differ from others in their loss, and are slow to trace."""


@pytest.mark.parametrize(("model", "client"), [(model, client) for model in MODELS_OF_TASK for client in CLIENTS if FEW.get(model, client) == client])
def test_both_layouts_do_what_each_device_does_alone(model: str, client: str) -> None:
    made, encoded = started(model)
    shared = work(made, encoded, **CLIENTS[client])
    given = jobs(shared.client)
    before = {name: parameter.detach().clone() for name, parameter in shared.parameters.items()}
    expected, means = twin(shared, given)
    found = {"sequential": trained(Sequential(shared), given)}
    made.model.open_up(made.network)
    found |= {f"stacked {chunk}": trained(Stacked(shared, chunk), given) for chunk in (2, 16)}
    for name, (update, outcomes) in found.items():
        tolerance = 3e-4 if client == "adamw" else 2e-5  # Adam divides by the root of tiny gradients, so it makes rounding larger
        seen = {name: change for name, change in update.items() if not name.endswith("k_proj.bias")}  # attention ignores it: its gradient is rounding alone
        assert largest_difference(seen, {name: expected[name] for name in seen}) < tolerance, name
        assert np.allclose(outcomes.mean_loss, means, atol=1e-4), name
        assert (outcomes.rms_loss >= outcomes.mean_loss - 1e-6).all()
    assert all(torch.equal(parameter, before[name]) for name, parameter in shared.parameters.items())


def test_a_wrong_weight_would_be_seen() -> None:
    made, encoded = started("linear")
    shared = work(made, encoded, **CLIENTS["sgd"])
    given = jobs(shared.client)
    wrong = [given[0].weighted(0.2), *given[1:]]
    assert largest_difference(trained(Sequential(shared), wrong)[0], twin(shared, given)[0]) > 1e-3


@pytest.mark.parametrize("model", [model for model in MODELS_OF_TASK if model not in FEW])
def test_the_same_cohort_twice_is_equal_bit_for_bit(model: str) -> None:
    made, encoded = started(model)
    shared = work(made, encoded, **CLIENTS["adamw"])
    given = jobs(shared.client)
    made.model.open_up(made.network)
    for layout in (Sequential(shared), Stacked(shared, 3)):
        (one, told), (other, again) = trained(layout, given), trained(layout, given)
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert np.array_equal(told.mean_loss, again.mean_loss)


def test_a_device_draws_the_same_whoever_else_is_asked() -> None:
    made, encoded = started("gpt2")
    made.network.train()
    for module in made.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    shared = work(made, encoded, **CLIENTS["sgd"])
    given = jobs(shared.client)
    alone, _ = trained(Sequential(shared), [given[2]])
    after_others, _ = trained(Sequential(shared), [job.weighted(0.0) for job in given[:2]] + [given[2]])
    assert largest_difference(alone, after_others) < 1e-12
    other_seed, _ = trained(Sequential(shared), [jobs(shared.client, seed=1)[2]])
    assert largest_difference(alone, other_seed) > 1e-4


def test_dropout_differs_between_the_devices_of_a_stack() -> None:
    made, encoded = started("bilstm")
    for module in made.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    shared = work(made, encoded, **CLIENTS["sgd"], max_steps=1)
    made.model.open_up(made.network)
    same = [job for job in jobs(shared.client) if job.client == 0]
    pair, outcomes = trained(Stacked(shared, 2), [same[0], same[0]])
    assert outcomes.mean_loss[0] != outcomes.mean_loss[1]
    assert pair


def test_frozen_weights_are_not_trained_and_not_sent() -> None:
    made, encoded = started("bilstm")
    whole = work(made, encoded)
    part = work(made, encoded, freeze=["embedding"])
    assert "embedding.weight" in whole.trained and "embedding.weight" not in part.trained
    assert whole.size - part.size == made.network.get_parameter("embedding.weight").numel()
    given = jobs(part.client)
    update, _ = trained(Sequential(part), given)
    assert "embedding.weight" not in update
    made.model.open_up(made.network)
    assert largest_difference(trained(Stacked(part, 4), given)[0], update) < 2e-5


def test_freezing_is_checked() -> None:
    made, _ = started("linear")
    with pytest.raises(UserError, match="begins with 'embeding'"):
        trained_names(made.network, ["embeding"])
    with pytest.raises(UserError, match="no weight is left"):
        trained_names(made.network, ["weights", "intercept"])


def test_each_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    block = work(*started("linear")).client
    for job, size in zip(jobs(block), SIZES, strict=True):
        rows = torch.cat(list(job.batches())).tolist()
        assert sorted(rows[:size]) == sorted(rows[size:]) == job.rows.tolist()
        assert len(list(job.batches())) == job.steps == block.steps(size)
    (long,) = [job for job in jobs(block) if len(job.rows) == 12]
    rows = torch.cat(list(long.batches())).tolist()
    assert rows[:12] != rows[12:]


def test_a_device_stops_after_its_most_steps() -> None:
    block = work(*started("linear"), max_steps=3).client
    for job in jobs(block):
        assert len(list(job.batches())) == job.steps <= 3
        assert job.examples == len(torch.cat(list(job.batches())))
