"""Hidden tokens: how many, which, and that no batching changes them."""

from __future__ import annotations

import torch

from tasks.models.masking import IGNORED, Masking

MASK, MARKS, VOCABULARY = 3, (0, 1, 2, 3), 500
MASKING = Masking(MASK, MARKS, VOCABULARY)


def rows(count: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(4, VOCABULARY, (count, length), generator=torch.Generator().manual_seed(1))
    ids[:, 0], ids[:, -1] = 1, 2
    present = torch.ones(count, length, dtype=torch.bool)
    present[::2, length // 2 :] = False
    return ids, present


def test_shares_are_those_of_the_paper() -> None:
    """Over 60,000 allowed tokens a share of 15% has a deviation of 0.15%: bounds of five deviations, false alarm under one in a million."""
    ids, present = rows(2000, 42)
    hidden, targets = MASKING.hide(ids, present, torch.arange(2000), draw=7)
    allowed = present & (ids > MASK)
    chosen = targets != IGNORED
    assert not (chosen & ~allowed).any()
    share = chosen.sum() / allowed.sum()
    assert abs(share - 0.15) < 0.0075
    replaced = hidden[chosen]
    assert abs((replaced == MASK).float().mean() - 0.8) < 0.03
    assert abs((replaced == ids[chosen]).float().mean() - 0.1) < 0.02
    assert (hidden[~chosen] == ids[~chosen]).all()
    assert (targets[chosen] == ids[chosen]).all()


def test_every_example_has_a_hidden_token_and_an_empty_one_has_none() -> None:
    ids, present = rows(300, 6)
    ids[5] = torch.tensor([1, 2, 0, 0, 0, 0])
    _, targets = MASKING.hide(ids, present, torch.arange(300), draw=0)
    found = (targets != IGNORED).any(dim=1)
    assert found.sum() == 299
    assert not found[5]


def test_a_batch_changes_nothing_and_a_draw_does() -> None:
    ids, present = rows(50, 30)
    who = torch.arange(50)
    whole = MASKING.hide(ids, present, who, draw=4)
    some = torch.tensor([41, 3, 17])
    part = MASKING.hide(ids[some], present[some], some, draw=4)
    assert (part[0] == whole[0][some]).all()
    assert (part[1] == whole[1][some]).all()
    assert (MASKING.hide(ids, present, who, draw=5)[1] != whole[1]).any()
