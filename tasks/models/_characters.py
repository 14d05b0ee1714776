"""What a token's own characters add to its vector: a convolution over them, of layers that any engine of per-example gradients can read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

BEGIN, END, FIRST = 0, 1, 2
"""Ids of what stands before and behind a token's characters; byte b is id b + 2."""


class CharacterVectors(nn.Module):
    """Word vectors (B, L, E), and beside them the largest answers of ``filters`` convolutions over each token's characters, (B, L, E + filters).

    Characters are UTF-8 bytes, so that the alphabet is the same for every vocabulary (as Peters et al., NAACL 2018). A token without any, such as
    padding, is its two ends.

    Args:
        spellings: the text of each id.
        size: width of a character's vector.
        filters: convolutions (Ma and Hovy, ACL 2016).
        width: characters that a convolution sees at once; every character stands in the middle of one window.
        longest: characters of a token that are read.
    """

    spelled: Tensor
    windows: Tensor

    def __init__(self, spellings: Sequence[str], size: int, filters: int, width: int, longest: int) -> None:
        super().__init__()
        spelled, windows = _table(spellings, width, longest)
        self.register_buffer("spelled", spelled, persistent=False)  # they follow from the vocabulary, which is saved
        self.register_buffer("windows", windows, persistent=False)
        self.embedding = nn.Embedding(FIRST + 256, size)
        self.filters = nn.Linear(width * size, filters)
        self.width = width
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, words: Tensor, input_ids: Tensor) -> Tensor:
        """Of the words' own vectors and their ids (B, L)."""
        characters = self.embedding(self.spelled[input_ids].long())
        count = characters.shape[2] - self.width + 1
        windows = torch.cat([characters[:, :, first : first + count] for first in range(self.width)], dim=-1)
        beyond = torch.arange(count, device=input_ids.device) >= self.windows[input_ids].unsqueeze(-1)
        found = self.filters(windows).masked_fill(beyond.unsqueeze(-1), -torch.inf).amax(dim=2)
        return torch.cat([words, found], dim=-1)


def _table(spellings: Sequence[str], width: int, longest: int) -> tuple[Tensor, Tensor]:
    """(V, T) int16 characters of each id between enough ends, and (V,) int16 how many windows of a width begin there; at least one."""
    cut = [spelling.encode()[:longest] for spelling in spellings]
    lengths = np.array([len(spelling) for spelling in cut])
    letters = np.frombuffer(b"".join(spelling.ljust(longest, b"\0") for spelling in cut), dtype=np.uint8).reshape(len(cut), longest)
    inside = np.where(np.arange(longest) < lengths[:, None], letters.astype(np.int16) + FIRST, END)
    before, behind = (np.full((len(cut), width // 2), end) for end in (BEGIN, END))
    table = np.concatenate([before, inside, behind], axis=1).astype(np.int16)
    windows = np.maximum(lengths + 2 * (width // 2) - width + 1, 1).astype(np.int16)
    return torch.from_numpy(table), torch.from_numpy(windows)
