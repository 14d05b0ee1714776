"""Encoder-decoders write what transformers' own would, see nothing of what is still to come, and give per-example gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForSeq2SeqLM, BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

from tasks.models._seq2seq import Seq2SeqNetwork
from tasks.models.artifact import LoadedModel, load_model, save_model
from tasks.models.batches import encode_split, network_inputs
from tasks.models.losses import example_losses
from tasks.models.masking import IGNORED
from tasks.models.model import MODELS, Architecture
from tasks.models.predicting import predictions
from tasks.privacy.engine import UnseenWeight
from tests.models.exports import export_sample
from tests.models.samples import SEQ2SEQ, publish, start
from tests.privacy.clipping import clipped, flat

RECORDS = pd.DataFrame({"id": ["a", "b", "c"], "text": ["how are you today", "a", "fine, thanks"], "target": ["greets", "says a letter", "ok"]})
SIZES: dict[str, Any] = {"vocab_size": 60, "d_model": 16, "decoder_start_token_id": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
BART: dict[str, Any] = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))}


def losses_by_the_library(body: Any, batch: dict[str, Tensor]) -> Tensor:
    """The library's own loss of each example alone."""
    found = []
    for row in range(len(batch["input_ids"])):
        ids = batch["input_ids"][row, batch["attention_mask"][row]]
        target = batch["target_ids"][row, batch["target_ids"][row] != IGNORED]
        with torch.no_grad():
            found.append(body(input_ids=ids[None], labels=target[None]).loss)
    return torch.stack(found)


@pytest.mark.parametrize("opened", [False, True])
def test_a_loss_is_the_librarys_of_the_example_alone(opened: bool, tmp_path: Path) -> None:
    started, _ = start("bart", tmp_path)
    encoded = encode_split(RECORDS, started.encoder, SEQ2SEQ)
    network: Any = started.network.eval()
    if opened:
        started.model.open_up(network)
    batch = encoded.batch(range(3))
    assert batch["target_ids"].shape[1] == len(b"says a letter") + 1 and (batch["target_ids"][2] == IGNORED).sum() == 11
    torch.testing.assert_close(example_losses(network, batch), losses_by_the_library(network.body, batch), atol=1e-5, rtol=1e-5)
    table = predictions(LoadedModel(started.model, started.encoder, network, SEQ2SEQ, {}), RECORDS, encoded, "cpu")
    assert list(table) == ["id", "nats", "tokens", "bytes", "loss"] and list(table["tokens"]) == [7, 14, 3] and list(table["bytes"]) == [6, 13, 2]
    torch.testing.assert_close(torch.tensor(table["loss"].to_numpy()).float(), losses_by_the_library(network.body, batch), atol=1e-5, rtol=1e-5)


def test_nothing_is_seen_of_what_is_still_to_be_written(tmp_path: Path) -> None:
    started, _ = start("bart", tmp_path)
    batch = network_inputs(encode_split(RECORDS, started.encoder, SEQ2SEQ).batch([1]))
    network = started.network.eval()
    before = network(**batch)["seq2seq"]
    batch["target_ids"] = batch["target_ids"].clone()
    batch["target_ids"][0, 5] = 9
    after = network(**batch)["seq2seq"]
    assert torch.equal(before[0, :6], after[0, :6]) and not torch.equal(before[0, 6:], after[0, 6:])


def test_transformers_loads_an_export_with_the_same_loss(tmp_path: Path) -> None:
    started, _, out = export_sample("bart", tmp_path)
    batch = encode_split(RECORDS, started.encoder, SEQ2SEQ).batch(range(3))
    with torch.no_grad():
        torch.testing.assert_close(losses_by_the_library(AutoModelForSeq2SeqLM.from_pretrained(out), batch), example_losses(started.network, batch))


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_published_families_answer_as_the_library(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    body: Any
    if family == "bart":
        body = BartForConditionalGeneration(BartConfig(**SIZES, **BART, max_position_embeddings=40))
    else:
        body = T5ForConditionalGeneration(T5Config(**SIZES, d_kv=8, d_ff=32, num_layers=1, num_heads=2))
    network = Seq2SeqNetwork(body).eval()
    ids = torch.randint(3, 60, (2, 6), generator=torch.Generator().manual_seed(1))
    batch = {"input_ids": ids, "attention_mask": torch.arange(6).expand(2, 6) < torch.tensor([[6], [4]]), "target_ids": ids[:, :4].flip(1)}
    found = example_losses(network, {**batch, "position_ids": torch.arange(6).expand(2, 6)})
    torch.testing.assert_close(found, losses_by_the_library(body, batch), atol=1e-5, rtol=1e-5)


def test_a_published_model_is_trained_and_saved(tmp_path: Path) -> None:
    """With the tokenizer that it was published with; what is saved needs its source no more."""
    model = MODELS.parse({"kind": "pretrained", "source": str(publish(tmp_path / "source", SEQ2SEQ))})
    assert isinstance(model, Architecture)
    started = model.start(SEQ2SEQ, {}, 0)
    batch = encode_split(RECORDS, started.encoder, SEQ2SEQ).batch(range(3))
    torch.testing.assert_close(example_losses(started.network.eval(), batch), losses_by_the_library(started.network.body, batch), atol=1e-5, rtol=1e-5)
    (tmp_path / "artifact").mkdir()
    save_model(tmp_path / "artifact", started, SEQ2SEQ, {}, {})
    (tmp_path / "source").rename(tmp_path / "gone")
    loaded = load_model(tmp_path / "artifact", "cpu")
    assert torch.equal(example_losses(loaded.network, batch), example_losses(started.network, batch))


class Scaled(nn.Embedding):
    """As mBART scales its word vectors."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids) * 4.0


@pytest.mark.parametrize("shared", [False, True])
def test_scaled_word_vectors_are_clipped_rightly_or_not_at_all(shared: bool) -> None:
    """book-keeping reads a plain embedding by its rows; it must not take a scaled one for that."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.words, self.out = Scaled(12, 6), nn.Linear(6, 12, bias=False)
            if shared:
                self.out.weight = self.words.weight

        def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
            return {"lm": self.out(self.words(input_ids).tanh())}

    ids = torch.randint(12, (3, 5), generator=torch.Generator().manual_seed(2))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids, dtype=torch.bool), "position_ids": torch.arange(5).expand(3, 5)}
    network = Network()
    if shared:
        with pytest.raises(UnseenWeight, match="two layers share it"):
            clipped("book-keeping", network, batch, flat(0.5))
        return
    expected, loop = clipped("loop", network, batch, flat(0.5))
    found, piece = clipped("book-keeping", network, batch, flat(0.5))
    torch.testing.assert_close(piece.norms, loop.norms)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
