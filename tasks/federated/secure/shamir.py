"""Shamir's secret sharing (1979): any ``threshold`` shares of a secret of 32 bytes give it back, fewer say nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tasks.federated.secure.keys import SECRET_BYTES

PRIME = 2**256 + 297
"""The smallest prime above every secret."""
SHARE_BYTES = 33


def split(secret: bytes, points: Sequence[int], threshold: int, draw: Callable[[], int]) -> dict[int, int]:
    """The share of each point: the value there of a random polynomial of degree ``threshold`` - 1 whose value at 0 is the secret.

    Args:
        secret: 32 bytes.
        points: distinct, above 0.
        draw: the next coefficient, uniform below PRIME.
    """
    if not 1 <= threshold <= len(points) or len({*points}) < len(points) or min(points) < 1:
        raise ValueError(f"{threshold} of {len(points)} shares: points must be distinct and above 0, and no fewer than the threshold")
    coefficients = [draw() for _ in range(threshold - 1)]
    constant = int.from_bytes(secret, "big")
    shares = {}
    for point in points:
        value = 0
        for coefficient in coefficients:
            value = (value + coefficient) * point % PRIME
        shares[point] = (value + constant) % PRIME
    return shares


def combine(shares: Mapping[int, int]) -> bytes:
    """The secret, from as many shares as its threshold: Lagrange's polynomial at 0. Raises ValueError where the shares are not of one secret of 32 bytes.

    Wrong or too few shares mostly give a wrong secret, which whoever knows more of the secret must notice.
    """
    total = 0
    for point, share in shares.items():
        above = below = 1
        for other in shares:
            if other != point:
                above = above * other % PRIME
                below = below * (other - point) % PRIME
        total += share * above * pow(below, -1, PRIME)
    total %= PRIME
    if total >> (8 * SECRET_BYTES):
        raise ValueError("these shares are not of one secret")
    return total.to_bytes(SECRET_BYTES, "big")
