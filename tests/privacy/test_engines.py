"""Every engine gives the clipped sums of the loop, and the loop those of gradients clipped by hand; no contribution is longer than the clip norm."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tasks.models.model import Started, TaskShape
from tasks.privacy.clip_rule import ClipRule
from tasks.privacy.clip_rules.flat import Flat
from tasks.privacy.engine import ENGINES, Engine, UnseenWeight
from tasks.privacy.engines import _ghost, _samplers
from tasks.privacy.engines._norms import norms_of
from tests.models.samples import BLOCKS, farthest
from tests.privacy.clipping import ACCEPTED, ENGINE_KINDS, LENGTHS, REFUSED, attached, by_hand, clipped, examples, excess, flat, opened, picked, refusals, size

Opened = Callable[[str], tuple[Started, TaskShape]]
EXACT = 1e-5
HALF = [kind for kind, member in ENGINES.members().items() if issubclass(member, Engine) and member.half_precision]
SCALES = (1e-8, 1.0, 1e4, 1e25)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Networks without dropout, each made once: an engine must leave nothing behind."""
    made: dict[str, tuple[Started, TaskShape]] = {}

    def found(name: str) -> tuple[Started, TaskShape]:
        if name not in made:
            made[name] = opened(name, tmp_path_factory.mktemp(name))
        return made[name]

    return found


def middle(network: nn.Module, batch: dict[str, Tensor]) -> float:
    """A clip norm that some examples are above and some below."""
    norms = by_hand(network, batch, 1.0)[2]
    return float((norms.min() + norms.max()) / 2)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_the_loop_equals_gradients_clipped_by_hand(name: str, still: Opened) -> None:
    started, shape = still(name)
    batch = examples(started, shape, LENGTHS)
    norm = middle(started.network, batch)
    sums, losses, norms = by_hand(started.network, batch, norm)
    assert 0 < int((norms > norm).sum()) < len(norms)
    found, piece = clipped("loop", started.network, batch, flat(norm))
    assert farthest({key: value.double() for key, value in found.items()}, sums) < EXACT
    torch.testing.assert_close(piece.losses.double(), losses, atol=EXACT, rtol=EXACT)
    torch.testing.assert_close(piece.norms.double(), norms.double(), atol=EXACT, rtol=EXACT)


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[1] != "loop"])
def test_every_engine_equals_the_loop(name: str, kind: str, still: Opened) -> None:
    started, shape = still(name)
    batch = examples(started, shape, LENGTHS)
    rule = flat(middle(started.network, batch))
    expected, loop = clipped("loop", started.network, batch, rule)
    found, piece = clipped(kind, started.network, batch, rule)
    assert farthest(found, expected) < EXACT
    torch.testing.assert_close(piece.losses, loop.losses, atol=EXACT, rtol=EXACT)
    torch.testing.assert_close(piece.norms, loop.norms, atol=EXACT, rtol=EXACT)


@pytest.mark.parametrize("fault", ["mean", "batch", "weight"])
def test_a_wrong_way_to_clip_would_be_seen(fault: str, still: Opened) -> None:
    """The mean instead of the sum; the whole batch clipped at once; every weight clipped by itself."""
    started, shape = still("bilstm")
    batch = examples(started, shape, LENGTHS)
    norm = middle(started.network, batch)
    right = by_hand(started.network, batch, norm)[0]
    if fault == "mean":
        wrong = {name: value / len(LENGTHS) for name, value in right.items()}
    elif fault == "batch":
        whole = by_hand(started.network, batch, 1e9)[0]
        wrong = {name: value * min(1.0, norm / size(whole)) for name, value in whole.items()}
    else:
        singles = [by_hand(started.network, picked(batch, slice(index, index + 1)), 1e9)[0] for index in range(len(LENGTHS))]
        wrong = {name: torch.stack([one[name] / max(1.0, float(one[name].norm()) / norm) for one in singles]).sum(dim=0) for name in right}
    assert farthest(right, wrong) > 100 * EXACT


@pytest.mark.parametrize(("name", "kind"), ACCEPTED)
def test_pieces_add_up_and_leave_nothing_behind(name: str, kind: str, still: Opened) -> None:
    """Twice through the same engine: a published model's pooler takes no part in the loss, and what was noted of it must not pile up."""
    started, shape = still(name)
    batch = examples(started, shape, LENGTHS)
    with attached(kind, started.network, flat(middle(started.network, batch))) as clipper:
        whole, pieces, again = clipper.zeros(), clipper.zeros(), clipper.zeros()
        first = clipper.add(batch, whole)
        parts = [clipper.add(picked(batch, chosen), pieces) for chosen in (slice(0, 2), slice(2, None))]
        last = clipper.add(batch, again)
    assert farthest(whole, pieces) < EXACT and farthest(whole, again) == 0
    torch.testing.assert_close(torch.cat([part.norms for part in parts]), first.norms, atol=EXACT, rtol=EXACT)
    assert torch.equal(first.losses, last.losses) and torch.equal(first.norms, last.norms)
    assert not any(hasattr(module, "activations") or module._forward_hooks or module._backward_hooks for module in started.network.modules())
    assert all(value.grad is None and getattr(value, "grad_sample", None) is None for value in started.network.parameters())


@pytest.mark.parametrize("kind", ["opacus-hooks", "opacus-ghost"])
def test_what_a_pass_leaves_behind_would_be_seen(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, shape = opened("published", tmp_path)
    monkeypatch.setattr(_samplers, "forget", lambda network: None)
    with suppress(NotImplementedError):  # ghost clipping takes its next pass for a second use of the pooler
        clipped(kind, started.network, examples(started, shape, LENGTHS), flat(1.0))
    assert any(hasattr(module, "activations") for module in started.network.modules())


def test_every_engine_is_refused_where_it_would_be_wrong_and_nowhere_else(still: Opened) -> None:
    found = {(name, kind): refusals(still(name)[0], kind) for name in BLOCKS for kind in ENGINE_KINDS}
    assert {pair for pair, rules in found.items() if rules} == REFUSED
    assert found["gpt2", "opacus-ghost"] == {"PRIV-11", "PRIV-12"} and found["published-lm", "opacus-ghost"] == {"PRIV-12"}


@pytest.mark.parametrize("name", ["gpt2", "published-lm"])
def test_ghost_clipping_does_not_go_on_where_weights_are_tied(name: str, tmp_path: Path) -> None:
    started, shape = opened(name, tmp_path)
    with pytest.raises(NotImplementedError, match="tying"):
        clipped("opacus-ghost", started.network, examples(started, shape, LENGTHS), flat(1.0))


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[0] in ("frozen", "lora", "lora-lm")])
def test_frozen_weights_get_no_sum(name: str, kind: str, still: Opened) -> None:
    started, shape = still(name)
    sums, _ = clipped(kind, started.network, examples(started, shape, LENGTHS), flat(1.0))
    frozen = {key for key, value in started.network.named_parameters() if not value.requires_grad}
    assert frozen and not frozen & sums.keys() and all(bool(value.any()) for key, value in sums.items() if "pooler" not in key)
    assert all(value.dtype == torch.float32 for value in sums.values())


class Scaled(nn.Module):
    """A network whose losses, and with them its gradients, are as large or small as one likes."""

    def __init__(self, network: nn.Module, scale: float) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, **batch: Tensor) -> dict[str, Tensor]:
        logits: dict[str, Tensor] = self.network(**batch)
        return {name: value * self.scale for name, value in logits.items()}


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[0] in ("linear", "bilstm", "bert", "gpt2", "lora")])
def test_no_contribution_is_longer_than_the_clip_norm(name: str, kind: str, still: Opened) -> None:
    """Not by 1e-6, and not at all: factors are rounded down. Beyond fp32 a contribution is dropped."""
    started, shape = still(name)
    batch = examples(started, shape, LENGTHS)
    for scale in SCALES:
        found = excess(kind, Scaled(started.network, scale), batch, flat(1e-3))
        assert found <= 0, f"by {found:.1e} at scale {scale:g}"


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[0] in ("bilstm", "bert", "gpt2") and pair[1] in HALF])
def test_no_contribution_is_longer_in_bf16(name: str, kind: str, still: Opened) -> None:
    started, shape = still(name)
    batch = examples(started, shape, LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert excess(kind, started.network, batch, flat(1e-3)) <= 0
        rounded, _ = clipped(kind, started.network, batch, flat(1e-3))
    exact, _ = clipped(kind, started.network, batch, flat(1e-3))
    assert farthest(rounded, exact) > 0 and all(value.dtype == torch.float32 for value in rounded.values())


class Unrounded(Flat):
    """Factors as the paper writes them."""

    def factors(self, norms: Tensor) -> Tensor:
        return (self.l2_clip_norm / norms).clamp(max=1.0)


class HalfNorms(Flat):
    """Norms in bf16, which are off by up to 0.4%."""

    def factors(self, norms: Tensor) -> Tensor:
        return super().factors(norms.bfloat16().float())


@pytest.mark.parametrize(("fault", "least"), [(Unrounded, 0.0), (HalfNorms, 1e-4)])
@pytest.mark.parametrize("kind", ENGINE_KINDS)
def test_factors_that_are_not_rounded_down_would_be_seen(
    kind: str, fault: type[ClipRule], least: float, still: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_samplers, "CANCELLED", 0.0)
    started, shape = still("bilstm")
    batch = examples(started, shape, [*LENGTHS, 3, 6, 5, 7])
    assert excess(kind, started.network, batch, fault.model_validate({"kind": "flat", "l2_clip_norm": 1e-3})) > least


def test_a_norm_of_millions_of_numbers_is_exact() -> None:
    """In fp32, added up one after the other, it would be 5e-4 too small."""
    gradients = [torch.full((2, 1000, 1003), 0.37), torch.randn(2, 5, generator=torch.Generator().manual_seed(1)), torch.zeros(2)]
    exact = torch.cat([value.double().flatten(1) if value.ndim > 1 else value.double().unsqueeze(1) for value in gradients], dim=1).norm(dim=1)
    assert float((norms_of(value.reshape(2, -1) for value in gradients).double() / exact - 1).abs().max()) < 5e-7
    assert float((torch.linalg.vector_norm(gradients[0].flatten(1), dim=1).double() / exact - 1).abs().max()) > 1e-5


class Tags(nn.Module):
    """Words that are nearly the same and tags that are nearly as likely; one layer is trained."""

    def __init__(self, trained: str, likeness: float) -> None:
        super().__init__()
        self.embedding, self.norm, self.layer = nn.Embedding(30, 64), nn.LayerNorm(64), nn.Linear(64, 2)
        with torch.no_grad():
            self.embedding.weight.copy_(self.embedding.weight / likeness + torch.randn(64))
            for value in self.layer.parameters():
                value.copy_(torch.randn(value.shape) / likeness)
        for name, value in self.named_parameters():
            value.requires_grad_(name.startswith(trained))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        return {"slots": self.layer(self.norm(self.embedding(input_ids)))}


@pytest.mark.parametrize(("trained", "likeness", "one_word"), [("layer", 1.0, False), ("layer", 1e5, False), ("norm", 1e3, False), ("embedding", 1e3, True)])
@pytest.mark.parametrize("kind", ENGINE_KINDS)
def test_no_contribution_is_longer_where_a_gradient_cancels(kind: str, trained: str, likeness: float, one_word: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second word has the other tag: what one word adds to the gradient the next takes away, and rounding is relative to the parts."""
    torch.manual_seed(2)
    ids = torch.randint(30, (20, 40))
    batch = {"input_ids": ids[:, :1].expand(20, 40) if one_word else ids, "attention_mask": ids >= 0, "position_ids": ids}
    batch["slots"] = torch.arange(800).reshape(20, 40) % 2
    network = Tags(trained, likeness)
    assert excess(kind, network, batch, flat(1e-9)) <= 0
    monkeypatch.setattr(_samplers, "CANCELLED", 0.0)
    monkeypatch.setattr(_ghost, "SEEN", float("inf"))
    by_pairs = {"opacus-ghost": likeness > 1, "book-keeping": trained == "embedding"}  # elsewhere it has the gradients themselves
    assert (excess(kind, network, batch, flat(1e-9)) > 1e-6) == by_pairs.get(kind, False)  # without its allowance: up to eight times


class Borrowing(nn.Module):
    """Uses the weight of a layer without calling it, or besides calling it."""

    def __init__(self, also_called: bool) -> None:
        super().__init__()
        self.embedding, self.layer, self.also_called = nn.Embedding(30, 6), nn.Linear(6, 3), also_called

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        states = self.embedding(input_ids).mean(dim=1)
        borrowed = nn.functional.linear(states, self.layer.weight, self.layer.bias)
        return {"intent": borrowed + self.layer(states.tanh()) if self.also_called else borrowed}


def borrowed(also_called: bool) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(1)
    ids = torch.randint(1, 30, (4, 5))
    return Borrowing(also_called), {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids, dtype=torch.bool),
        "position_ids": ids,
        "labels": torch.tensor([0, 1, 2, 1]),
    }


@pytest.mark.parametrize(("kind", "also_called"), [("opacus-hooks", False), ("opacus-ghost", False), ("opacus-ghost", True)])
def test_a_weight_that_is_used_behind_an_engine_is_told(kind: str, also_called: bool) -> None:
    network, batch = borrowed(also_called)
    with pytest.raises(UnseenWeight, match=r"layer\.weight"):
        clipped(kind, network, batch, flat(0.1))


@pytest.mark.parametrize("kind", ["loop", "vmap", "micro-batch"])
def test_other_engines_see_every_use_of_a_weight(kind: str) -> None:
    network, batch = borrowed(True)
    assert farthest({name: value.double() for name, value in clipped(kind, network, batch, flat(0.1))[0].items()}, by_hand(network, batch, 0.1)[0]) < EXACT


@pytest.mark.parametrize(("name", "kind"), [pair for pair in ACCEPTED if pair[0] in ("bilstm", "bert", "gpt2", "lora")])
def test_every_example_draws_a_dropout_of_its_own(name: str, kind: str, still: Opened, tmp_path: Path) -> None:
    """Two equal examples of a piece have two gradients; without dropout, one."""
    for dropout, (started, shape) in ((True, opened(name, tmp_path, dropout=True)), (False, still(name))):
        batch = {key: value.repeat(2, *[1] * (value.ndim - 1)) for key, value in picked(examples(started, shape, LENGTHS), slice(0, 1)).items()}
        torch.manual_seed(3)
        _, piece = clipped(kind, started.network, batch, flat(1.0))
        apart = [abs(float(values[0] - values[1])) / float(values[0]) for values in (piece.losses, piece.norms)]
        assert min(apart) > 1e-4 if dropout else max(apart) < EXACT


def test_every_engine_was_tried() -> None:
    """Where a new one comes, it is in every test above; this one asks for a look at what it says of itself."""
    assert ENGINE_KINDS == ["book-keeping", "loop", "micro-batch", "opacus-ghost", "opacus-hooks", "vmap"]
    assert HALF == ["book-keeping", "loop", "micro-batch", "opacus-hooks", "vmap"]
