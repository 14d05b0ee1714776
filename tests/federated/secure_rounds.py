"""Rounds of secure aggregation with known vectors, and the slow obvious twin: a sum of whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.federated.secure.protocol import SecureRound, simulated
from tasks.federated.secure_aggregation import SecureAggregation

Vectors = Mapping[int, NDArray[np.float64]]


def vectors(devices: int, size: int, seed: int = 0, spread: float = 1.0) -> dict[int, NDArray[np.float64]]:
    """Normal numbers within the range; names are not the places."""
    drawn = np.random.default_rng(seed).normal(scale=spread, size=(devices, size)).clip(-8, 8)
    return {3 * place + 1: row for place, row in enumerate(drawn)}


def begun(values: Vectors, block: SecureAggregation | None = None, kind: type[SecureRound] = SecureRound, seed: int = 0) -> SecureRound:
    """Keys and shares are exchanged; of 33 devices or more, each has some of the others as neighbours."""
    return kind(block or SecureAggregation(), list(values), len(next(iter(values.values()))), 0, simulated(seed, 0))


def summed(made: SecureRound, values: Vectors, dropped: Collection[int] = (), silent: Collection[int] = ()) -> NDArray[np.float64]:
    """The protocol's sum; ``dropped`` send no vector, ``silent`` no shares."""
    for name, row in values.items():
        if name not in dropped:
            made.submit(name, row)
    return made.total(silent)


def twin(values: Vectors, dropped: Collection[int], bits: int) -> NDArray[np.float64]:
    """Each number to the nearest integer, added as Python's integers."""
    rows = [row for name, row in values.items() if name not in dropped]
    return np.array([float(Fraction(sum(round(Fraction(float(value)) * 2**bits) for value in column), 2**bits)) for column in zip(*rows, strict=True)])


def watched(server: Any, methods: Collection[str]) -> list[Any]:
    """Everything that a server's methods are given from now on."""
    received: list[Any] = []

    def watch(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(argument: Any) -> Any:
            received.extend(argument if isinstance(argument, list) else [argument])
            return method(argument)

        return call

    for name in methods:
        setattr(server, name, watch(getattr(server, name)))
    return received
