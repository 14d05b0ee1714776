"""Losses per example equal torch's on each example alone."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from tasks.models.batches import encode_split
from tasks.models.losses import next_token_nats, per_example_loss
from tasks.models.masking import IGNORED
from tasks.models.model import TaskShape
from tasks.text._bytes import BytesEncoder
from tasks.text._hashing import HashingEncoder

LENGTHS = [4, 1, 0, 3]


def example() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(2)
    slots = torch.randint(0, 5, (4, 4))
    for row, length in enumerate(LENGTHS):
        slots[row, length:] = IGNORED
    slots[0, 1] = IGNORED  # within a word
    return {"intent": torch.randn(4, 3), "slots": torch.randn(4, 4, 5)}, {"labels": torch.tensor([0, 2, 1, 1]), "slots": slots}


@pytest.mark.parametrize("parts", [("intent",), ("slots",), ("intent", "slots")])
def test_a_loss_is_that_of_the_example_alone(parts: tuple[str, ...]) -> None:
    logits, batch = example()
    found = per_example_loss({name: logits[name] for name in parts}, batch)
    for row in range(4):
        expected = torch.zeros(())
        if "intent" in parts:
            expected = expected + cross_entropy(logits["intent"][row], batch["labels"][row])
        words = batch["slots"][row] != IGNORED
        if "slots" in parts and words.any():
            expected = expected + cross_entropy(logits["slots"][row][words], batch["slots"][row][words])
        torch.testing.assert_close(found[row], expected, atol=1e-6, rtol=1e-6)


def test_a_mean_over_the_padded_length_would_be_seen() -> None:
    logits, batch = example()
    right = per_example_loss({"slots": logits["slots"]}, batch)
    wrong = cross_entropy(logits["slots"].transpose(1, 2), batch["slots"], reduction="none", ignore_index=IGNORED).mean(dim=1)
    assert float((right - wrong).abs().max()) > 0.1


def test_nats_are_those_of_every_token_after_the_first() -> None:
    torch.manual_seed(3)
    logits, ids, lengths = torch.randn(3, 5, 7), torch.randint(0, 7, (3, 5)), [5, 1, 3]
    mask = torch.arange(5).expand(3, 5) < torch.tensor(lengths).unsqueeze(1)
    nats, count = next_token_nats(logits, {"input_ids": ids, "attention_mask": mask})
    for row, length in enumerate(lengths):
        expected = -sum((logits[row, place].log_softmax(dim=-1)[ids[row, place + 1]] for place in range(length - 1)), start=torch.zeros(()))
        torch.testing.assert_close(nats[row], expected, atol=1e-5, rtol=1e-6)
        assert int(count[row]) == length - 1
    loss = per_example_loss({"lm": logits}, {"input_ids": ids, "attention_mask": mask})
    torch.testing.assert_close(loss, nats / torch.tensor([4, 1, 2]))


def test_logits_that_no_loss_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="no logits that a loss knows"):
        per_example_loss({"other": torch.zeros(1)}, {})


def test_a_split_becomes_tensors_record_by_record() -> None:
    values = {"tokens": [["a", "b", "c"], ["a"]], "slots": [["O", "B-x", "I-x"], ["O"]], "label": ["q", "p"]}
    shape = TaskShape("joint", ("p", "q"), ("O", "B-x", "I-x"))
    encoded = encode_split(pd.DataFrame(values), HashingEncoder(50, 2), shape)
    batch = encoded.batch([1, 0])
    assert batch["labels"].tolist() == [0, 1]
    assert batch["slots"].tolist() == [[0, IGNORED], [0, 1]]  # cut at two words, padded after one
    assert batch["attention_mask"].tolist() == [[True, False], [True, True]] and batch["input_ids"][0, 1] == 0
    assert encoded.batch([1])["input_ids"].shape == (1, 1)  # padded to the longest of the batch


def test_windows_of_one_text_share_its_record() -> None:
    encoded = encode_split(pd.DataFrame({"text": ["abcdefgh", "", "xy"]}), BytesEncoder(5), TaskShape("lm"))
    assert encoded.records.tolist() == [0, 0, 0, 2] and encoded.lengths.tolist() == [5, 5, 2, 4]


def test_a_label_that_was_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="not declared with: other"):
        encode_split(pd.DataFrame({"text": ["a"], "label": ["other"]}), HashingEncoder(50, 2), TaskShape("intent", ("p",)))
