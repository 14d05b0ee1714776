"""The convolution over characters equals torch's, one token at a time, and changes nothing of what a BiLSTM must keep."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tasks.models._bilstm import BiLstmNetwork
from tasks.models._characters import CharacterVectors
from tasks.models.architectures.bilstm import BiLstm
from tasks.models.artifact import load_model, save_model
from tasks.models.continuing import Continued
from tasks.models.losses import per_example_loss
from tests.models.samples import INTENT, JOINT, farthest, gradients, inputs, start

SPELLINGS = ["", " the", "ing", "x", " naïve", "日本", "!" * 9, " turning", "", " theatre"]
LENGTHS = [7, 1, 4]
WORDS = 5


def convolution(width: int = 3, longest: int = 7) -> CharacterVectors:
    torch.manual_seed(width)
    return CharacterVectors(SPELLINGS, 4, 6, width, longest).double()


def by_conv1d(ours: CharacterVectors, text: str, longest: int) -> Tensor:
    """(F,) of one token: its bytes between ends, torch's convolution, and the largest answer of each filter."""
    ends = ours.width // 2
    ids = [0] * ends + [2 + byte for byte in text.encode()[:longest]] + [1] * ends
    ids += [1] * (ours.width - len(ids))
    kernel = ours.filters.weight.reshape(-1, ours.width, 4).transpose(1, 2)
    vectors = ours.embedding.weight[torch.tensor(ids)].T[None]
    return nn.functional.conv1d(vectors, kernel, ours.filters.bias)[0].amax(dim=1)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 12])
@pytest.mark.parametrize("longest", [1, 7, 20])
def test_a_token_equals_torchs_convolution_of_it_alone(width: int, longest: int) -> None:
    ours = convolution(width, longest)
    ids = torch.arange(10).reshape(2, 5)
    words = torch.randn(2, 5, WORDS, dtype=torch.float64)
    found = ours(words, ids)
    assert torch.equal(found[..., :WORDS], words)
    expected = torch.stack([by_conv1d(ours, text, longest) for text in SPELLINGS]).reshape(2, 5, 6)
    torch.testing.assert_close(found[..., WORDS:], expected, atol=1e-12, rtol=0)


def test_what_is_read_matters_and_what_is_cut_does_not() -> None:
    ours = convolution(longest=4)
    found = ours(torch.zeros(1, 10, 0), torch.arange(10)[None])[0].detach()
    assert torch.equal(found[1], found[9]) and torch.equal(found[0], found[8])  # " the" and " thea..."; two tokens without characters
    assert min(float((found[1] - found[other]).abs().max()) for other in (0, 2, 3, 4, 7)) > 1e-3


def test_a_window_beyond_a_token_would_be_seen() -> None:
    ours = convolution()
    ids = torch.arange(10)[None]
    before = ours(torch.zeros(1, 10, 0), ids)
    ours.windows.fill_(100)
    assert float((ours(torch.zeros(1, 10, 0), ids) - before).detach().abs().max()) > 1e-3


def network(layers: int) -> BiLstmNetwork:
    return BiLstmNetwork(10, WORDS, 4, layers, 0.0, 0, 3, 4, characters=convolution()).double()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("extra", [0, 3])
def test_both_kernels_agree(layers: int, extra: int) -> None:
    fused = network(layers)
    ours = copy.deepcopy(fused)
    ours.fused = False
    answers = []
    for found in (fused, ours):
        batch = inputs(LENGTHS, 10, extra)
        batch |= {"labels": torch.tensor([0, 1, 2]), "slots": (batch["input_ids"] % 4).masked_fill(~batch["attention_mask"], -100)}
        logits = found(batch["input_ids"], batch["attention_mask"], batch["position_ids"])
        per_example_loss(logits, batch).sum().backward()  # type: ignore[no-untyped-call]
        answers.append({"intent": logits["intent"], "slots": logits["slots"] * batch["attention_mask"].unsqueeze(-1)})
    assert farthest(*answers) < 1e-12 and farthest(gradients(fused), gradients(ours)) < 1e-12
    assert all(bool(gradients(ours)[name].any()) for name in ("characters.embedding.weight", "characters.filters.weight", "characters.filters.bias"))


def test_a_saved_model_keeps_no_table_and_reads_the_same_characters(tmp_path: Path) -> None:
    started, shape = start("bilstm-characters", tmp_path)
    (tmp_path / "saved").mkdir()
    save_model(tmp_path / "saved", started, shape, {}, {})
    found: BiLstmNetwork = load_model(tmp_path / "saved", "cpu").network  # type: ignore[assignment]
    assert started.network.state_dict().keys() == found.state_dict().keys() and not any("spelled" in name for name in found.state_dict())
    assert found.characters is not None and torch.equal(found.characters.spelled, started.network.get_buffer("characters.spelled"))


def test_a_continued_model_keeps_its_characters(tmp_path: Path) -> None:
    started, shape = start("bilstm-characters", tmp_path)
    (tmp_path / "base").mkdir()
    save_model(tmp_path / "base", started, shape, {}, {})
    found = Continued(kind="continued").start(INTENT, {"base": tmp_path / "base"}, 1)
    ids = torch.arange(20)[None]
    assert torch.equal(found.network.vectors(ids), started.network.vectors(ids))  # type: ignore[operator]


def test_words_in_buckets_have_no_characters() -> None:
    model = BiLstm.model_validate({"kind": "bilstm", "characters": {}})
    with pytest.raises(TypeError, match="HashingEncoder are not spelled"):
        model.start(JOINT, {}, 0)
