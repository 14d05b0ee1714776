"""Networks that answer to any vectors: those of tokens give the answers to the tokens, and mixtures of them can be moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

from tasks.models.model import Relaxable, TaskShape
from tests.models.samples import BLOCKS, JOINT, LM, farthest, inputs, start
from tests.models.test_published import FAMILIES
from tests.models.test_published import block as published

MLM = TaskShape("mlm")
LENGTHS = [6, 1, 4]
NAMES = sorted(BLOCKS)
EXACT = 1e-5


def there(logits: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
    return {name: value if name == "intent" else value * mask.unsqueeze(-1) for name, value in logits.items()}


def apart(network: Any, found: dict[str, Tensor], vectors: Tensor | None = None) -> float:
    """How far answers to vectors, by default those of the ids, are from answers to ids."""
    mask = found["attention_mask"]
    given = network.vectors(found["input_ids"]) if vectors is None else vectors
    return farthest(there(network(**found), mask), there(network.answers(given, mask, found["position_ids"]), mask))


def check(network: Any, vocabulary: int, pad: int) -> None:
    network.eval()
    assert isinstance(network, Relaxable)
    for extra in (0, 3):
        found = inputs(LENGTHS, vocabulary, extra, pad)
        vectors = network.vectors(found["input_ids"])
        assert vectors.shape[:2] == found["input_ids"].shape and apart(network, found) < EXACT
        padded = vectors + torch.randn(vectors.shape) * ~found["attention_mask"].unsqueeze(-1)  # what pads may be anything
        assert apart(network, found, padded) < EXACT
        assert apart(network, found, vectors.flip(0)) > 1e-3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opened", [False, True])
def test_vectors_of_tokens_give_the_answers_to_the_tokens(name: str, opened: bool, tmp_path: Path) -> None:
    started, _ = start(name, tmp_path)
    if name in ("linear", "bart"):
        assert not isinstance(started.network, Relaxable)
        return
    if opened:
        started.model.open_up(started.network)
    check(started.network, started.encoder.vocabulary_size, started.encoder.pad_id)


CAUSAL = ("gpt2", "llama")


@pytest.mark.parametrize(
    ("family", "masked"), [(family, masked) for family in sorted(FAMILIES) for masked in (False, True) if not (masked and family in CAUSAL)]
)
def test_so_they_do_in_every_published_family(family: str, masked: bool, tmp_path: Path) -> None:
    causal = family in CAUSAL
    maker = AutoModelForCausalLM if causal else AutoModelForMaskedLM if masked else AutoModel
    torch.manual_seed(1)
    maker.from_config(AutoConfig.for_model(family, **FAMILIES[family])).save_pretrained(tmp_path / "source")  # type: ignore[no-untyped-call]
    shape = LM if causal else MLM if masked else JOINT
    network = published(tmp_path / "source").start(shape, {}, 0).network
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    check(network, 92, 1)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "linear"])
def test_a_vector_is_of_its_token_alone(name: str, tmp_path: Path) -> None:
    """So the vectors of all ids, asked for at once, are a table (V, D) that mixtures can be made of."""
    started, _ = start(name, tmp_path)
    network: Any = started.network.eval()
    table = network.vectors(torch.arange(started.encoder.vocabulary_size)[None])[0]
    ids = inputs(LENGTHS, len(table))["input_ids"]
    torch.testing.assert_close(network.vectors(ids), table[ids], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["bilstm", "bilstm-characters", "bert", "gpt2", "lora"])
def test_a_mixture_of_tokens_can_be_moved(name: str, tmp_path: Path) -> None:
    """The gradient of the weights of a mixture, against one difference in float64."""
    started, _ = start(name, tmp_path)
    network: Any = started.network.double().eval()
    started.model.open_up(network)
    vocabulary = started.encoder.vocabulary_size
    table = network.vectors(torch.arange(vocabulary)[None])[0].detach()
    found = inputs([4], vocabulary)
    scores = torch.randn(1, 4, vocabulary, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()

    def asked(given: Tensor) -> Tensor:
        answers = network.answers(given.softmax(dim=-1) @ table, found["attention_mask"], found["position_ids"])
        return answers["lm" if "lm" in answers else "intent"].log_softmax(dim=-1)[..., 0].sum()  # type: ignore[no-any-return]

    (gradient,) = torch.autograd.grad(asked(scores), scores)
    way = torch.randn(scores.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        slope = float(asked(scores + 1e-5 * way) - asked(scores - 1e-5 * way)) / 2e-5
    assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-5) and abs(slope) > 1e-6
