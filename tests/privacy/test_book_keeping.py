"""The book-keeping engine: either form of a norm, layers that are called twice or are of an unknown kind, and what it cannot see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

from tasks.models._transformers import AnsweringNetwork
from tasks.privacy.engine import UnseenWeight
from tasks.privacy.engines import _layers
from tests.models.samples import farthest
from tests.privacy.clipping import LENGTHS, attached, clipped, examples, flat, opened

EXACT = 1e-5


class Scale(nn.Module):
    """A layer that no engine knows: a factor per unit, and a shift that is squared."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor, self.shift = nn.Parameter(torch.rand(width)), nn.Parameter(torch.rand(width))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.factor + self.shift**2


class Toy(nn.Module):
    """An embedding, some layers one after the other, each perhaps twice, and tags."""

    def __init__(self, *layers: nn.Module, times: int = 1) -> None:
        super().__init__()
        self.embedding, self.layers, self.times = nn.Embedding(9, 8), nn.ModuleList(layers), times
        self.answer = nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        values = self.embedding(input_ids)
        for _ in range(self.times):
            for layer in self.layers:
                values = layer(values).tanh()
        return {"slots": self.answer(values)}


class Positions(nn.Module):
    """Asks for its positions once for all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 8)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.table(torch.arange(values.shape[1]).unsqueeze(0))  # type: ignore[no-any-return]


def batch() -> dict[str, Tensor]:
    ids = torch.randint(9, (5, 6), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": ids >= 0, "position_ids": ids, "slots": ids % 3}


def same(network: nn.Module, values: dict[str, Tensor]) -> float:
    """How far book-keeping is from the loop, in sums and norms, where half of the examples are clipped."""
    norm = float(clipped("loop", network, values, flat(1.0))[1].norms.median())
    expected, loop = clipped("loop", network, values, flat(norm))
    found, piece = clipped("book-keeping", network, values, flat(norm))
    return max(farthest(found, expected), float((piece.norms / loop.norms - 1).abs().max()))


@pytest.mark.parametrize(
    "network",
    [
        lambda: Toy(nn.Linear(8, 8), nn.LayerNorm(8)),
        lambda: Toy(nn.Linear(8, 8), nn.LayerNorm(8), times=2),
        lambda: Toy(nn.RMSNorm(8), nn.Linear(8, 8, bias=False)),
        lambda: Toy(Scale(8), nn.Linear(8, 8)),
        lambda: Toy(Scale(8), times=2),
    ],
    ids=["known", "called twice", "rms norm", "unknown", "unknown, called twice"],
)
def test_layers_give_what_the_loop_gives(network: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    assert same(network(), batch()) < EXACT


@pytest.mark.parametrize("name", ["bert", "gpt2", "bilstm", "bilstm-characters", "linear"])
@pytest.mark.parametrize("worth", [0, 10**9], ids=["gradients", "pairs of positions"])
def test_both_forms_of_a_norm_are_one(name: str, worth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layers, "WORTH", worth)
    started, shape = opened(name, tmp_path)
    assert same(started.network, examples(started, shape, LENGTHS)) < EXACT


def test_a_shared_weight_that_is_taken_for_two_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, shape = opened("gpt2", tmp_path)
    values = examples(started, shape, LENGTHS)
    assert same(started.network, values) < EXACT
    monkeypatch.setattr(_layers, "_crossed", lambda one, other: torch.zeros(len(values["input_ids"]), 1, 1))
    assert same(started.network, values) > 100 * EXACT


def test_a_layer_that_was_asked_once_for_all_examples_is_refused() -> None:
    with pytest.raises(UnseenWeight, match="1 rows for 5 examples"):
        clipped("book-keeping", Toy(Positions()), batch(), flat(1.0))


class Both(nn.Linear):
    """Says two things."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(values), values


class First(nn.Module):
    """The first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.both = Both(8, 8)

    def forward(self, values: Tensor) -> Tensor:
        return self.both(values)[0]  # type: ignore[no-any-return]


def test_a_layer_that_says_more_than_one_tensor_is_refused_and_leaves_the_network_as_it_was() -> None:
    network = Toy(First())
    with pytest.raises(UnseenWeight, match="Both says more than one tensor"):
        clipped("book-keeping", network, batch(), flat(1.0))
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_bias_that_a_masked_head_lists_beside_its_decoder_counts_once() -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 16}
    body = BertForMaskedLM(BertConfig(vocab_size=9, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **sizes))
    values = batch()
    values["targets"] = values.pop("slots").masked_fill(torch.arange(6) % 2 == 0, -100)
    values["position_ids"] = torch.arange(6).expand(5, 6)
    assert same(AnsweringNetwork(body, "mlm").train(), values) < EXACT


def test_a_layer_of_an_unknown_kind_is_told() -> None:
    with attached("book-keeping", Toy(Scale(8), nn.Linear(8, 8)), flat(1.0)) as clipper:
        assert clipper.by_example == ("Scale",)
    with attached("book-keeping", Toy(nn.Linear(8, 8)), flat(1.0)) as clipper:
        assert clipper.by_example == ()


def test_nothing_is_left_behind() -> None:
    network = Toy(nn.Linear(8, 8))
    clipped("book-keeping", network, batch(), flat(1.0))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not any(layer._forward_hooks for layer in network.modules())
