"""The linear classifier equals a dense twin: a matrix of counts times a matrix of weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tasks.models._linear import LinearNetwork
from tests.models.samples import inputs

VOCABULARY, LENGTHS = 20, [5, 1, 3, 5, 2, 4]


def counts(ids: NDArray[np.int64], lengths: list[int], pairs: int) -> NDArray[np.float64]:
    """One row per text: how often each word and pair stands there, over the root of how many there are."""
    rows = np.zeros((len(lengths), VOCABULARY + pairs))
    for row, length in enumerate(lengths):
        words = [int(index) for index in ids[row, :length]]
        for word in words:
            rows[row, word] += 1
        for first, second in pairwise(words) if pairs else ():
            rows[row, VOCABULARY + (first * 1_000_003 + second) % pairs] += 1
        rows[row] /= np.sqrt(rows[row].sum())
    return rows


@pytest.mark.parametrize("pairs", [0, 7, 40])
def test_logits_and_gradients_equal_a_dense_twin(pairs: int) -> None:
    torch.manual_seed(0)
    network = LinearNetwork(VOCABULARY, 0, pairs, 3).double()
    torch.nn.init.normal_(network.weights.weight)
    torch.nn.init.normal_(network.intercept.bias)
    found = inputs(LENGTHS, VOCABULARY, extra=2)
    logits = network(**found)["intent"]
    dense = counts(found["input_ids"].numpy(), LENGTHS, pairs)
    expected = dense @ network.weights.weight.detach().numpy() + network.intercept.bias.detach().numpy()
    np.testing.assert_allclose(logits.detach().numpy(), expected, atol=1e-12)
    outward = torch.randn(logits.shape, dtype=torch.float64)
    logits.backward(outward)
    assert network.weights.weight.grad is not None and network.intercept.bias.grad is not None
    np.testing.assert_allclose(network.weights.weight.grad.numpy(), dense.T @ outward.numpy(), atol=1e-12)
    np.testing.assert_allclose(network.intercept.bias.grad.numpy(), outward.numpy().sum(axis=0), atol=1e-12)


def test_weights_of_scikit_learn_answer_as_scikit_learn_does() -> None:
    lengths = [2 + index % 4 for index in range(60)]
    found = inputs(lengths, VOCABULARY)
    dense, labels = counts(found["input_ids"].numpy(), lengths, 40), np.arange(60) % 3
    fitted = LogisticRegression(C=10, max_iter=500).fit(dense, labels)
    network = LinearNetwork(VOCABULARY, 0, 40, 3).double()
    with torch.no_grad():
        network.weights.weight.copy_(torch.from_numpy(fitted.coef_.T))
        network.intercept.bias.copy_(torch.from_numpy(fitted.intercept_))
    shares = network(**found)["intent"].softmax(dim=-1)
    np.testing.assert_allclose(shares.detach().numpy(), fitted.predict_proba(dense), atol=1e-9)


def test_first_weights_are_zero_so_no_seed_matters() -> None:
    network = LinearNetwork(VOCABULARY, 0, 5, 3)
    assert all(not value.any() for value in network.parameters())
