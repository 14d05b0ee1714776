"""Combiners against distributions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.distillation.combiner import COMBINERS, Combiner
from tests.distillation.tiny import KINDS, encoder, reverser, vocabulary

OWN, OTHER = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.4, 0.5])
BY_HAND = {
    "none": OWN,
    "swap": OTHER,
    "mean": np.sqrt(OWN * OTHER) / np.sqrt(OWN * OTHER).sum(),
    "max": np.array([0.7, 0.4, 0.5]) / 1.6,
    "exp-mean": np.array([0.4, 0.3, 0.3]),
}


def combined(kind: str, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    found = COMBINERS.parse({"kind": kind})
    assert isinstance(found, Combiner)
    return found.combine(own, other).log_softmax(dim=-1)


def logs(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values).log()


@pytest.mark.parametrize("kind", KINDS)
def test_a_combiner_gives_the_distribution_worked_out_by_hand(kind: str) -> None:
    np.testing.assert_allclose(combined(kind, logs(OWN), logs(OTHER)).exp(), BY_HAND[kind], rtol=1e-12)


def test_exp_mean_is_the_mean_of_probabilities_of_log_probabilities_alone() -> None:
    assert not np.allclose(combined("exp-mean", logs(OWN) + 3, logs(OTHER)).exp(), BY_HAND["exp-mean"])


@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_combiners_are(kind: str) -> None:
    one, other = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(3)).log_softmax(dim=-1)
    symmetric = COMBINERS.members()[kind].symmetric  # type: ignore[attr-defined]
    assert torch.allclose(combined(kind, one, other), combined(kind, other, one)) == symmetric


def test_words_of_a_group_are_found_in_a_vocabulary() -> None:
    found, names = vocabulary(), {word: encoder().pieces(f" {word}")[0] for word in ("she", "he", "sister", "brother", "her", "his", "him", "lamp")}
    ids = {word: pieces[0] for word, pieces in names.items() if len(pieces) == 1}
    assert found.permutation[ids["she"]] == ids["he"] and found.permutation[ids["brother"]] == ids["sister"]
    assert bool(found.gendered[[ids["she"], ids["her"], ids["his"]]].all()) and not bool(found.gendered[ids["lamp"]])
    assert torch.equal(found.permutation[found.permutation], torch.arange(encoder().vocabulary_size))
    assert any(ids["his"] in one.tolist() and ids["her"] in other.tolist() for one, other in found.classes)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if COMBINERS.members()[kind].symmetric])  # type: ignore[attr-defined]
def test_swapped_context_and_swapped_vocabulary_give_a_symmetric_teacher(kind: str) -> None:
    """target(cf(x)) = pi(target(x)), where pi exchanges the words of the groups."""
    own, other = torch.randn(2, 4, 3, encoder().vocabulary_size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(dim=-1)
    of_text = combined(kind, *vocabulary().reversed(own, other))
    of_reversal = combined(kind, *vocabulary().reversed(other, own))
    _, moved = vocabulary().reversed(of_text, of_text)
    torch.testing.assert_close(moved.exp(), of_reversal.exp())
    assert not torch.allclose(of_text, of_reversal)


def test_moved_probabilities_are_those_of_the_counterparts() -> None:
    own, other = torch.randn(2, encoder().vocabulary_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).log_softmax(dim=-1)
    kept, moved = vocabulary().reversed(own, other)
    she, he = (encoder().pieces(f" {word}")[0][0] for word in ("she", "he"))
    assert float(moved[she]) == float(other[he])
    for one, two in vocabulary().classes:
        torch.testing.assert_close(moved[one].exp().sum(), other[two].exp().sum())
        torch.testing.assert_close(kept[one].exp().sum(), own[one].exp().sum())
        torch.testing.assert_close(kept[one] - kept[one].logsumexp(0), moved[one] - moved[one].logsumexp(0))
    torch.testing.assert_close(moved.exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_a_vocabulary_without_whole_words_has_none_to_swap() -> None:
    from tasks.distillation.vocabulary import group_vocabulary
    from tasks.text._bytes import BytesEncoder

    found = group_vocabulary(BytesEncoder(32), reverser())
    assert not bool(found.gendered.any()) and not found.classes
