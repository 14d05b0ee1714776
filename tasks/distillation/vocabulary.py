"""The words of two groups in a vocabulary: which token stands for which after a role reversal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tasks.text.gender_words import BY_ROLE
from tasks.text.reversal import Reverser
from tasks.text.tokenizer import TextEncoder


@dataclass(frozen=True)
class GroupVocabulary:
    """The tokens that are words of a group.

    Args:
        permutation: (V,) long: for each token its counterpart; itself where it is no word of a group, or its counterpart is no single token.
        classes: pairs of classes of tokens, male and female, that are exchanged by their sums.
        gendered: (V,) bool: tokens that the swap moves.
    """

    permutation: Tensor
    classes: tuple[tuple[Tensor, Tensor], ...]
    gendered: Tensor

    @cached_property
    def _swapped(self) -> Tensor:
        """The tokens that the permutation moves."""
        return self.permutation.ne(torch.arange(len(self.permutation), device=self.permutation.device)).nonzero().squeeze(1)

    def to(self, device: str) -> GroupVocabulary:
        """On a device."""
        classes = tuple((one.to(device), other.to(device)) for one, other in self.classes)
        return GroupVocabulary(self.permutation.to(device), classes, self.gendered.to(device))

    def reversed(self, own: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """What is said after a text and after its reversal, (..., V) log-probabilities, both in the words that go on with the text.

        Tokens of ``other`` change places with their counterparts. Of her, hers, his and him the sums of either group change places; how a sum is shared
        among the forms is the same in both results and follows from both distributions, for the place asks for one form whatever the group.
        """
        moved, kept = other.clone(), own.clone()
        moved[..., self._swapped] = other[..., self.permutation[self._swapped]]
        for one, two in self.classes:
            for ids, partners in ((one, two), (two, one)):
                shares = own[..., ids].logaddexp(other[..., ids]).log_softmax(dim=-1)
                kept[..., ids] = own[..., ids].logsumexp(dim=-1, keepdim=True) + shares
                moved[..., ids] = other[..., partners].logsumexp(dim=-1, keepdim=True) + shares
        return kept, moved


def group_vocabulary(encoder: TextEncoder, reverser: Reverser) -> GroupVocabulary:
    """The words of a reverser's table that are single tokens of a tokenizer, as they stand within a text and, where that differs, at its beginning."""
    permutation = torch.arange(encoder.vocabulary_size)
    for variant in _variants(encoder, tuple(reverser.partners)):
        for own, other in reverser.partners.items():
            if own in variant and other in variant:
                permutation[variant[own]] = variant[other]
    gendered = permutation != torch.arange(len(permutation))
    classes = []
    for variant in _variants(encoder, tuple(word for words in BY_ROLE for word in words)) if reverser.pronouns else ():
        pair = tuple(torch.tensor(sorted({variant[word] for word in words if word in variant})) for words in BY_ROLE[::-1])
        if all(len(ids) for ids in pair) and not any(gendered[ids].any() for ids in pair):
            classes.append((pair[0], pair[1]))
            gendered[torch.cat(pair)] = True
    return GroupVocabulary(permutation, tuple(classes), gendered)


def _variants(encoder: TextEncoder, words: tuple[str, ...]) -> Iterator[Mapping[str, int]]:
    """For each case and place in a text: the words that are one token there."""
    seen: set[tuple[int, ...]] = set()
    for cased in (str.lower, str.capitalize, str.upper):
        for before in (" ", ""):
            found = {word: ids[0] for word in words if len(ids := encoder.pieces(before + cased(word))[0]) == 1}
            if tuple(found.values()) not in seen:
                seen.add(tuple(found.values()))
                yield found
