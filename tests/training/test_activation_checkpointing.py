"""Blocks that are run again in the backward pass: the same gradients, clipped or not, and less memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tasks.models.batches import network_inputs
from tasks.models.losses import per_example_loss
from tasks.models.model import ModelError, Started, TaskShape
from tasks.privacy.engine import UnseenWeight
from tasks.privacy.engines import _book_keeping
from tasks.privacy.engines._book_keeping import BookKeepingClipper
from tests.benchmarks._live_memory import LiveMemory
from tests.models.samples import farthest, start
from tests.privacy.clipping import LENGTHS, attached, clipped, examples, flat, opened

MODELS = ["bert", "gpt2", "published", "published-lm", "lora", "bitfit", "last-layers"]
RIGHT = ["book-keeping", "loop", "micro-batch"]


def pair(name: str, folder: Path) -> tuple[Started, Started, TaskShape]:
    """The same network twice, the second with blocks that are run again; with dropout."""
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    (one, shape), (other, _) = opened(name, folder / "a", dropout=True), opened(name, folder / "b", dropout=True)
    other.model.checkpoint_activations(other.network)
    return one, other, shape


def again(network: nn.Module) -> int:
    """How many blocks are run again."""
    return sum(getattr(module, "gradient_checkpointing", False) is True for module in network.modules())


@pytest.mark.parametrize("kind", RIGHT)
@pytest.mark.parametrize("name", MODELS)
def test_clipped_sums_are_those_without(name: str, kind: str, tmp_path: Path) -> None:
    one, other, shape = pair(name, tmp_path)
    assert again(other.network) and not again(one.network)
    batch, found = examples(one, shape, LENGTHS), []
    for started in (one, other):
        torch.manual_seed(4)
        found.append(clipped(kind, started.network, batch, flat(0.5)))
    assert farthest(found[0][0], found[1][0]) < 1e-6
    torch.testing.assert_close(found[0][1].norms, found[1][1].norms, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found[0][1].losses, found[1][1].losses)


@pytest.mark.parametrize("kind", ["opacus-hooks", "opacus-ghost"])
def test_an_engine_that_is_refused_would_stop(kind: str, tmp_path: Path) -> None:
    _, other, shape = pair("bert", tmp_path)
    with pytest.raises((UnseenWeight, RuntimeError, NotImplementedError, IndexError, ValueError)):
        clipped(kind, other.network, examples(other, shape, LENGTHS), flat(0.5))


def peak(network: nn.Module, batch: dict[str, Tensor]) -> int:
    """Bytes alive in a plain step."""
    with LiveMemory(network.parameters()) as memory:
        per_example_loss(network(**network_inputs(batch)), batch).sum().backward()  # type: ignore[no-untyped-call]
    return int(memory.peak)


def test_it_takes_less_memory(tmp_path: Path) -> None:
    one, other, shape = pair("bert", tmp_path)
    batch = examples(one, shape, [12] * 64)
    assert peak(other.network, batch) < 0.8 * peak(one.network, batch)


def test_what_is_run_again_is_not_kept_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other, shape = pair("bert", tmp_path)
    kept, made = _book_keeping._Kept, []

    def noted(*given: Any) -> Any:
        made.append(kept(*given))
        return made[-1]

    monkeypatch.setattr(_book_keeping, "_Kept", noted)
    batch = examples(other, shape, LENGTHS)
    with attached("book-keeping", other.network, flat(0.5)) as clipper:
        assert isinstance(clipper, BookKeepingClipper)
        clipper._passed(batch)
    trained = [layer for layer in other.network.modules() if any(value.requires_grad for value in layer.parameters(recurse=False))]
    assert len(made) == len(trained)


def test_a_model_without_blocks_is_told(tmp_path: Path) -> None:
    started, _ = start("bilstm", tmp_path)
    with pytest.raises(ModelError, match="model 'bilstm' has no blocks that can be run again"):
        started.model.checkpoint_activations(started.network)
