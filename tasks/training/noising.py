"""Noise on the clipped sums: drawn from (key, step, name of the weight) alone, on all threads, into memory that every step uses again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property

import torch
from torch import Tensor

from tasks.core.seeds import torch_generator

PIECE = 2**17
"""So many numbers have a generator of their own on a processor: pieces are drawn at once by several threads, and come out alike on any number of them."""


class NoiseSource:
    """Gaussian noise for every trained weight.

    Where steps are correlated it is that of a banded Toeplitz factorization C of the prefix sums: y = C^-1 z, so y_t = z_t - sum_{j=1}^{b-1} c_j y_{t-j}
    (Choquette-Choo et al., NeurIPS 2023); what it needs of earlier steps is kept, or drawn again from the first step on where a training goes on.

    Args:
        key: decides z.
        weights: the trained weights by name.
        coefficients: c_0 = 1, c_1, ..., c_{b-1}; (1,): every step has noise of its own.
    """

    def __init__(self, key: int, weights: Mapping[str, Tensor], coefficients: tuple[float, ...] = (1.0,)) -> None:
        self._key, self._coefficients = key, coefficients
        self._drawn = {name: torch.empty(value.shape, dtype=torch.float32, device=value.device) for name, value in weights.items()}
        self._past: list[dict[str, Tensor]] = []
        self._at = -1

    def __call__(self, step: int, deviation: float) -> dict[str, Tensor]:
        """fp32 noise of a deviation by name; the next call writes over it."""
        if len(self._coefficients) == 1:
            self._fill(step, deviation)
            return self._drawn
        if step != self._at:
            self._go_to(step)
        for name, value in self._past[-1].items():
            torch.mul(value, deviation, out=self._drawn[name])
        return self._drawn

    def draw(self, name: str, piece: int, step: int, out: Tensor, deviation: float) -> None:
        """Fill a piece of a weight with independent noise. torch's generators are not cryptographic."""
        out.normal_(0.0, deviation, generator=torch_generator(self._key, "noise", step, f"{name}/{piece}", str(out.device)))

    def _go_to(self, step: int) -> None:
        """Correlated noise of deviation 1, step by step from where it is, or from the beginning."""
        if step < self._at:
            self._past, self._at = [], -1
        for number in range(self._at + 1, step + 1):
            self._fill(number, 1.0)
            fresh = {name: value.clone() for name, value in self._drawn.items()}
            for coefficient, past in zip(self._coefficients[1:], reversed(self._past), strict=False):
                for name, value in fresh.items():
                    value.sub_(past[name], alpha=coefficient)
            self._past = [*self._past, fresh][-max(1, len(self._coefficients) - 1) :]
        self._at = step

    def _fill(self, step: int, deviation: float) -> None:
        threads = torch.get_num_threads()
        if threads == 1 or len(self._pieces) == len(self._drawn):
            self._draw_all(0, 1, step, deviation)
        else:
            pool = _pool(os.getpid(), threads - 1)
            others = [pool.submit(self._draw_all, first, threads, step, deviation) for first in range(1, threads)]
            self._draw_all(0, threads, step, deviation)
            for other in others:
                other.result()

    def _draw_all(self, first: int, every: int, step: int, deviation: float) -> None:
        for name, number, out in self._pieces[first::every]:
            self.draw(name, number, step, out, deviation)

    @cached_property
    def _pieces(self) -> list[tuple[str, int, Tensor]]:
        """Of every weight, with its name and its number."""
        found = []
        for name, value in self._drawn.items():
            size = PIECE if value.device.type == "cpu" else max(1, value.numel())
            found += [(name, number, out) for number, out in enumerate(torch.split(value.view(-1), size))]
        return found


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Kept, for to start threads takes as long as to draw a million numbers. Of a process by its number: threads do not outlive a fork."""
    return ThreadPoolExecutor(threads, thread_name_prefix="noise")
