"""What may be drawn is what another library lets be drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from tasks.models.decoding import Decoding
from tasks.models.nucleus import Drawable

SCORES = torch.randn(64, 500, generator=torch.Generator().manual_seed(0)) * 3


def theirs(decoding: Decoding) -> torch.Tensor:
    warpers: list[Any] = [TemperatureLogitsWarper(decoding.temperature)]
    if decoding.top_k is not None:
        warpers.append(TopKLogitsWarper(decoding.top_k))
    warpers.append(TopPLogitsWarper(decoding.top_p))
    found = SCORES
    for warper in warpers:
        found = warper(torch.zeros(64, 1, dtype=torch.long), found)
    return found


def ours(decoding: Decoding, scores: torch.Tensor = SCORES) -> torch.Tensor:
    return Drawable(decoding)(torch.zeros(len(scores), 1, dtype=torch.long), scores)


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("top_k", [None, 1, 40, 5000])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_it_is_what_another_library_leaves(top_p: float, top_k: int | None, temperature: float) -> None:
    decoding = Decoding(top_p=top_p, top_k=top_k, temperature=temperature)
    torch.testing.assert_close(ours(decoding), theirs(decoding))


def test_another_nucleus_is_another_answer() -> None:
    assert not torch.equal(ours(Decoding(top_p=0.9)), theirs(Decoding(top_p=0.8)))


def test_the_likeliest_token_is_always_left_and_equal_ones_stay_together() -> None:
    one_sure = torch.tensor([[50.0, 0.0, 0.0, 0.0]])
    assert ours(Decoding(top_p=0.01), one_sure).isfinite().tolist() == [[True, False, False, False]]
    assert ours(Decoding(top_p=0.3), torch.zeros(1, 4)).isfinite().all()
