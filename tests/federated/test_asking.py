"""What strategies ask of devices beside training: right, and counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.federated.asking import GRADIENT_EXAMPLES, Asking
from tasks.federated.costs import Costs
from tasks.federated.holdings import Held
from tasks.models.losses import example_losses
from tests.federated.layouts import MODELS_OF_TASK, SIZES, started, work


def held() -> Held:
    starts = np.concatenate([[0], np.cumsum(SIZES)])
    return Held(np.array(SIZES), np.arange(sum(SIZES)), starts)


@pytest.mark.parametrize("model", MODELS_OF_TASK)
def test_losses_are_the_mean_over_what_each_device_holds(model: str) -> None:
    made, encoded = started(model)
    shared = work(made, encoded)
    costs = Costs(100, 50)
    found = Asking(shared, held(), costs, 0).losses(np.array([3, 0, 2]))
    with torch.no_grad():
        expected = [float(example_losses(made.network.eval(), encoded.batch(torch.from_numpy(held().rows(client)))).mean()) for client in (3, 0, 2)]
    assert np.allclose(found, expected, atol=1e-5)
    tokens = sum(int(encoded.lengths[held().rows(client)].sum()) for client in (3, 0, 2))
    assert (costs.queries, costs.downloads, costs.uploads) == (3, 3, 0) and costs.extra_flops == 2 * 100 * tokens


def test_a_device_that_holds_nothing_has_a_loss_of_zero_and_none_is_asked_nothing() -> None:
    made, encoded = started("linear")
    nothing = Held(np.array([0, 2]), np.arange(2), np.array([0, 0, 2]))
    asking = Asking(work(made, encoded), nothing, Costs(1, 1), 0)
    assert asking.losses(np.array([0]))[0] == 0 and not len(asking.losses(np.zeros(0, dtype=np.int64)))


def test_sketches_keep_distances_between_gradients_nearly() -> None:
    made, encoded = started("bilstm")
    shared = work(made, encoded)
    clients = np.arange(len(SIZES))
    costs = Costs(100, 50)
    sketches = Asking(shared, held(), costs, 3).gradients(clients)
    exact = []
    made.network.eval()
    for client in clients:
        rows = held().rows(int(client))[:GRADIENT_EXAMPLES]
        loss = example_losses(made.network, encoded.batch(torch.from_numpy(rows))).mean()
        parts = torch.autograd.grad(loss, list(shared.parameters.values()), allow_unused=True, materialize_grads=True)
        exact.append(torch.cat([part.flatten() for part in parts]).numpy())
    true = np.linalg.norm(np.stack(exact)[:, None] - np.stack(exact)[None], axis=-1)
    near = np.linalg.norm(sketches[:, None] - sketches[None], axis=-1)
    apart = ~np.eye(len(clients), dtype=bool)
    assert np.abs(near[apart] / true[apart] - 1).max() < 0.35
    assert costs.extra_flops > 0 and costs.server_bytes == sketches.nbytes
    assert not np.allclose(sketches, Asking(shared, held(), costs, 4).gradients(clients)), "another seed is another projection"


def test_a_sample_of_what_a_device_holds_is_drawn_anew_each_round() -> None:
    made, encoded = started("linear")
    with torch.no_grad():
        made.network.get_parameter("weights.weight").normal_(generator=torch.Generator().manual_seed(0))
    shared, clients = work(made, encoded), np.array([0, 1, 2])
    costs = Costs(1, 1)
    found = {number: Asking(shared, held(), costs, 0, number).losses(clients, 4) for number in (0, 1)}
    again, whole = Asking(shared, held(), Costs(1, 1), 0, 1).losses(clients, 4), Asking(shared, held(), Costs(1, 1), 0, 1).losses(clients)
    assert np.array_equal(found[1], again) and not np.allclose(found[0], found[1])
    assert found[0][1] == pytest.approx(whole[1]), "a device that holds fewer scores them all"
    assert costs.extra_flops < 2 * 2 * 2 * int(encoded.lengths[:20].sum())
