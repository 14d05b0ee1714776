"""Micro-batches: what one example can do to them, by the two witnesses; who is in which; and the epsilon that is true."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from tasks.privacy.account import Account
from tasks.privacy.blocks import blocks_of
from tasks.privacy.engine import Shares
from tasks.privacy.engines._held import held_bytes
from tasks.privacy.engines._loop import LoopClipper
from tasks.privacy.engines.micro_batch import MicroBatch
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.privacy import Setting
from tasks.privacy.sharing import ByHash
from tests.privacy.clipping import flat, size

KEY = 2**200 + 7


class Given(nn.Module):
    """One weight whose gradient is what the example says: its first token less 100."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        return {"intent": self.weight * (input_ids[:, 0] - 100)}


def summed(gradients: list[float], owners: list[int], size: float, clip: float = 1.0) -> float:
    """The sum of clipped micro-batches of examples that have these gradients."""
    clipper = LoopClipper(Given(), flat(clip))
    clipper.loss = lambda logits, batch: logits["intent"]
    ids = torch.tensor(gradients).long().unsqueeze(1) + 100
    sums = clipper.zeros()
    shares = Shares(torch.tensor(owners), torch.full((len(owners),), 1 / size), max(owners, default=-1) + 1)
    clipper.add({"input_ids": ids, "attention_mask": ids >= 0, "position_ids": ids}, sums, shares)
    return float(sums["weight"])


def test_one_example_moves_a_clipped_mean_across_the_whole_ball() -> None:
    """The first witness: C = 1, gradients +10 and -30."""
    both, one = summed([10, -30], [0, 0], 2), summed([10], [0], 2)
    assert both == pytest.approx(-1.0, abs=1e-5) and one == pytest.approx(1.0, abs=1e-5)
    assert summed([10, -30], [0, 1], 1) == pytest.approx(0.0, abs=1e-5)  # clipped each by itself it would be 1 at most


def test_a_hash_moves_one_micro_batch_and_sequential_chunks_move_all() -> None:
    """The second witness: eight examples in four chunks of two; one more in front of them turns the sign of every chunk."""
    gradients = [160.0, -140, 120, -100, 80, -60, 40, -20]
    pairs = [index // 2 for index in range(9)]
    chunks = abs(summed([-300.0, *gradients], pairs, 2) - summed(gradients, pairs[:8], 2))
    records = torch.arange(9)
    worst = 0.0
    for step in range(20):
        owners, _ = ByHash(records, 4, 2.0, KEY)(records, step)
        kept, last = owners[:8].tolist(), int(owners[8])
        worst = max(worst, abs(summed([*gradients, -300.0], [*kept, last], 2) - summed(gradients, kept, 2)))
    assert 1.9 < worst <= 2 * (1 + 1e-5) and chunks > 2 * 4 - 1e-3


def test_who_is_in_which_micro_batch_follows_from_key_record_and_step_alone() -> None:
    records = torch.arange(50).repeat_interleave(2)  # texts of two windows each
    owners, weights = ByHash(records, 4, 3.5, KEY)(torch.arange(100), 3)
    assert torch.equal(owners[::2], owners[1::2]) and bool((weights == 1 / 3.5).all())
    fewer = ByHash(records[:60], 4, 3.5, KEY)(torch.arange(60), 3)[0]
    assert torch.equal(fewer, owners[:60])
    assert torch.equal(ByHash(records, 4, 3.5, KEY)(torch.tensor([7, 80]), 3)[0], owners[[7, 80]])
    assert not torch.equal(ByHash(records, 4, 3.5, KEY)(torch.arange(100), 4)[0], owners)
    assert not torch.equal(ByHash(records, 4, 3.5, KEY + 1)(torch.arange(100), 3)[0], owners)
    records = torch.arange(20_000)
    counts = torch.bincount(ByHash(records, 16, 1.0, KEY)(records, 0)[0], minlength=16)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-6


def account(engine: str, **privacy: Any) -> Account:
    clipping = {"engine": {"kind": engine}}
    mechanism = DpSgd.model_validate({"kind": "dp-sgd", "delta": 1 / 13084, "clipping": clipping, **privacy})
    return mechanism.account(Setting(13084, 256, 30, "secret"))


def test_epsilon_is_that_of_half_the_noise_and_the_weaker_unit_is_told_beside_it() -> None:
    """Setting C of the table: 54.752, where per-example clipping has 6.793."""
    micro, example = account("micro-batch", noise_multiplier=0.8), account("loop", noise_multiplier=0.8)
    assert micro.epsilon == pytest.approx(54.752, abs=1e-2) and example.epsilon == pytest.approx(6.793, abs=1e-2)
    assert micro.micro_batch == example.epsilon and example.micro_batch is None
    assert {release.noise_multiplier for release in micro.mechanism.releases} == {0.4} and micro.noise_multiplier == 0.8
    assert micro.guarantee.startswith("example-level (54.8,")
    told = micro.record()["micro_batch"]
    assert told["epsilon"] == example.epsilon and "not an utterance" in told["unit"]
    assert example.record()["micro_batch"] is None


def test_a_micro_batch_whose_noise_is_not_halved_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MicroBatch, "moves", 1)
    assert account("micro-batch", noise_multiplier=0.8).epsilon < 7


def test_equal_epsilon_costs_twice_the_size_of_a_micro_batch_in_noise() -> None:
    """Deviation of the noise in an update, C / M and C / B apart."""
    micro, example = account("micro-batch", target_epsilon=3.0), account("loop", target_epsilon=3.0)
    ratio = (micro.noise_multiplier / 16) / (example.noise_multiplier / 256)
    assert micro.epsilon <= 3.0 and ratio == pytest.approx(2 * 256 / 16, rel=2e-3)


def test_layers_are_clipped_to_their_shares() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    blocks, scales = blocks_of(dict(network.named_parameters()), "by-shape")
    assert blocks == [("0.weight", "0.bias"), ("1.weight", "1.bias")]
    assert scales == pytest.approx([(15 / 23) ** 0.5, (8 / 23) ** 0.5])
    assert blocks_of(dict(network.named_parameters()), "equal")[1] == pytest.approx([0.5**0.5] * 2)


class Wide(nn.Module):
    """Keeps ``width`` numbers of a token for its backward pass."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(5, width), nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        return {"intent": (self.dropout(self.embedding(input_ids)) ** 2).sum(dim=(1, 2))}


def test_how_many_there_are_follows_from_memory_where_it_is_left_to_us() -> None:
    network = Wide(256)
    assert held_bytes(network, 64) == pytest.approx(4 * 256 * 64, rel=0.05)
    engine = MicroBatch(kind="micro-batch", micro_batches="auto", memory_mib=1)  # 16 examples of 64 KiB
    fitted = engine.fitted(network, 64, 150)
    assert fitted.contributions(150) == 10
    assert engine.model_copy(update={"memory_mib": 0.001}).fitted(network, 64, 150).contributions(150) == 150
    assert MicroBatch(kind="micro-batch").fitted(network, 64, 150).contributions(150) == 16


def test_what_is_held_is_that_of_training_whatever_the_network_is_at() -> None:
    network = Wide(256, dropout=0.5)
    training, idle = held_bytes(network.train(), 64), held_bytes(network.eval(), 64)
    assert training == idle > held_bytes(Wide(256), 64) and not network.training


def test_a_large_micro_batch_is_added_up_in_pieces() -> None:
    gradients, owners = [5.0, -3, 8, 1, -9, 2], [0, 1, 0, 1, 0, 1]
    whole = summed(gradients, owners, 3)
    LoopClipper.at_once, before = 2, LoopClipper.at_once
    try:
        assert summed(gradients, owners, 3) == pytest.approx(whole, abs=1e-6)
    finally:
        LoopClipper.at_once = before
    assert size({"x": torch.tensor([whole])}) <= 2
