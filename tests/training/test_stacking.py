"""Batches of many models in one table: each model sees its own examples, and what it lacks counts for nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tasks.models.batches import Encoded
from tasks.models.masking import IGNORED, Masking
from tasks.training.stacking import joined, padded

MASKING = Masking(mask_id=4, marks=(0, 4), vocabulary=50)


def examples(count: int, longest: int, seed: int, **more: Any) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, longest + 1, (count,), generator=generator)
    lengths[0] = longest
    ids = torch.randint(5, 50, (count, longest), generator=generator).masked_fill(torch.arange(longest) >= lengths.unsqueeze(1), 0)
    return Encoded(ids, lengths, 0, torch.arange(count), **more)


@pytest.mark.parametrize("masking", [None, MASKING])
def test_a_model_sees_what_it_would_see_alone(masking: Masking | None) -> None:
    """Hidden tokens too, which follow from the example's own number; padded to the longest of all models' batches."""
    sets = [examples(count, longest, count, masking=masking) for count, longest in ((9, 6), (5, 11), (7, 8))]
    whole, begins = joined(sets)
    assert begins == (0, 9, 14) and len(whole) == 21
    rows = [torch.tensor(chosen) for chosen in ([3, 8, 1], [2, 0], [6, 4, 2])]
    batch, counts = padded(whole, [row + begin for row, begin in zip(rows, begins, strict=True)], "cpu", draw=7)
    assert counts.tolist() == [3, 2, 3]
    for index, (own, row) in enumerate(zip(sets, rows, strict=True)):
        alone = own.batch(row, "cpu", 7)
        assert alone.keys() == batch.keys()
        longest = alone["input_ids"].shape[1]
        for name in alone.keys() - {"position_ids"}:
            assert torch.equal(batch[name][index, : len(row), :longest], alone[name])
        beyond = batch["attention_mask"][index, : len(row), longest:]
        assert not beyond.any() and (batch["input_ids"][index, : len(row), longest:] == 0).all()


def test_tags_beyond_a_text_are_ignored() -> None:
    sets = [examples(4, longest, longest, labels=torch.zeros(4, dtype=torch.long), slots=torch.ones(4, longest, dtype=torch.long)) for longest in (3, 6)]
    whole, _ = joined(sets)
    assert whole.slots is not None and whole.labels is not None
    assert (whole.slots[:4, 3:] == IGNORED).all() and (whole.slots[4:] == 1).all() and len(whole.labels) == 8


def test_other_numbers_would_hide_other_tokens() -> None:
    """Positive control: by its place in the table an example is hidden otherwise."""
    one = examples(30, 12, 0, masking=MASKING)
    whole, (_, begin) = joined([one, one])
    chosen = torch.arange(30)
    assert torch.equal(whole.batch(chosen + begin)["targets"], one.batch(chosen)["targets"])
    whole = Encoded(whole.ids, whole.lengths, 0, whole.records, masking=MASKING)
    assert not torch.equal(whole.batch(chosen + begin)["targets"], one.batch(chosen)["targets"])
