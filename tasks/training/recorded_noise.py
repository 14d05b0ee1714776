"""The direct test of the noise: what a training's steps add to their clipped sums, against independent normal numbers of the accounted deviation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOOKED_AT = 100_000
"""Of so many numbers of the first step the law is tested; every number counts in the other tests."""


class RecordedNoise:
    """Takes in the noise of one step after the other, in deviations that the account says, and tests what is independent of it.

    Where steps are correlated, y = C^-1 z with the Toeplitz factor C of the coefficients, z_t = y_t + sum_j c_j y_{t-j} is tested, so the first step
    taken in must be the first of the training. Under the account every statistic has its law exactly, however many weights and steps there are.

    Args:
        coefficients: c_0 = 1, c_1, ...; (1,): every step has noise of its own.

    Attributes:
        steps: taken in.
        numbers: taken in, over all steps and weights.
        squares: their sum of squares.
    """

    def __init__(self, coefficients: tuple[float, ...] = (1.0,)) -> None:
        self.steps = self.numbers = 0
        self.squares = 0.0
        self._coefficients = coefficients
        self._past: list[dict[str, Tensor]] = []
        self._before: dict[str, Tensor] = {}
        self._sum = 0.0
        self._along: list[float] = []
        self._first = torch.zeros(0)

    def add(self, noise: dict[str, Tensor]) -> None:
        """That of the next step, by weight; the tensors become the test's own."""
        fresh = self._independent(noise)
        for value in fresh.values():
            wide = value.double()
            self.numbers += value.numel()
            self.squares += float(wide.square().sum())
            self._sum += float(wide.sum())
        if not self.steps:
            whole = torch.cat([value.flatten() for value in fresh.values()])
            self._first = whole[:: -(-len(whole) // LOOKED_AT)].double().cpu()
            self._before = {name: value.clone() for name, value in fresh.items()}
        else:
            self._compare(fresh)
        self.steps += 1

    def p_values(self) -> dict[str, float]:
        """Two-sided, by test: ``variance`` (the sum of squares, chi-square), ``mean`` (the sum, normal), ``law`` (Kolmogorov and Smirnov's, on the first
        step) and, of several steps, ``steps`` (each along the sum of those before it, normal).
        """
        from scipy import stats

        chi = stats.chi2(self.numbers)
        found = {
            "variance": min(1.0, 2 * min(float(chi.cdf(self.squares)), float(chi.sf(self.squares)))),
            "mean": _normal(self._sum / math.sqrt(self.numbers)),
            "law": float(stats.kstest(self._first.numpy(), "norm").pvalue),
        }
        if self._along:
            found["steps"] = _normal(sum(self._along) / math.sqrt(len(self._along)))
        return found

    def _independent(self, noise: dict[str, Tensor]) -> dict[str, Tensor]:
        """z of the step."""
        if len(self._coefficients) == 1:
            return noise
        fresh = {name: value.clone() for name, value in noise.items()}
        for coefficient, past in zip(self._coefficients[1:], reversed(self._past), strict=False):
            for name, value in fresh.items():
                value.add_(past[name], alpha=coefficient)
        self._past = [*self._past, noise][-(len(self._coefficients) - 1) :]
        return fresh

    def _compare(self, fresh: dict[str, Tensor]) -> None:
        """A draw, given those before it, has a standard normal part along any direction that they give: a step that repeats one lies along their sum."""
        length = math.sqrt(sum(float(value.double().square().sum()) for value in self._before.values()))
        if length:
            self._along.append(sum(float((value.double() * self._before[name].double()).sum()) for name, value in fresh.items()) / length)
        for name, value in fresh.items():
            self._before[name].add_(value)


def _normal(value: float) -> float:
    """The two-sided p-value of what should be standard normal."""
    return math.erfc(abs(value) / math.sqrt(2))
