"""Noise on the clipped sums: drawn from (key, step, name of the weight) alone, on all threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from tasks.core.seeds import torch_generator


def standard(key: int, name: str, like: Tensor, step: int) -> Tensor:
    """Standard normal, fp32, on the device of ``like`` and of its shape."""
    generator = torch_generator(key, "noise", step, name, str(like.device))
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32)


class Correlated:
    """Noise of a banded Toeplitz factorization C of the prefix sums: y = C^-1 z, so y_t = z_t - sum_{j=1}^{b-1} c_j y_{t-j} (Choquette-Choo et al., NeurIPS
    2023). What it needs of earlier steps is kept, or worked out again from the first step where a training goes on.

    Args:
        key: decides z.
        coefficients: c_0 = 1, c_1, ..., c_{b-1}.
    """

    def __init__(self, key: int, coefficients: tuple[float, ...]) -> None:
        self._key, self._coefficients = key, coefficients
        self._past: dict[str, tuple[int, list[Tensor]]] = {}

    def __call__(self, name: str, like: Tensor, step: int) -> Tensor:
        """y of a step."""
        at, past = self._past.get(name, (-1, []))
        if at == step:
            return past[-1].clone()
        if at > step:
            at, past = -1, []
        for number in range(at + 1, step + 1):
            drawn = standard(self._key, name, like, number)
            for back, coefficient in enumerate(self._coefficients[1:], start=1):
                if back <= len(past):
                    drawn -= coefficient * past[-back]
            past = [*past, drawn][-max(1, len(self._coefficients) - 1) :]
        self._past[name] = (step, past)
        return past[-1].clone()


def drawn(noise: Callable[[str, Tensor], Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The noise of every weight; on a processor on as many threads as torch has, the largest weights first."""
    threads = torch.get_num_threads()
    if threads == 1 or any(value.device.type != "cpu" for value in weights.values()):
        return {name: noise(name, value) for name, value in weights.items()}
    ordered = sorted(weights, key=lambda name: weights[name].numel(), reverse=True)
    with ThreadPoolExecutor(threads) as pool:
        found = dict(zip(ordered, pool.map(lambda name: noise(name, weights[name]), ordered), strict=True))
    return {name: found[name] for name in weights}
