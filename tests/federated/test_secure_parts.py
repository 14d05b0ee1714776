"""The parts of secure aggregation, each against an oracle: Shamir's shares, masks, fixed point, the graph and how many neighbours it takes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from tasks.core.errors import UserError
from tasks.federated.secure import masks
from tasks.federated.secure.fixed_point import PIECE, FixedPoint
from tasks.federated.secure.keys import KeyPair, Refused, seal, unseal
from tasks.federated.secure.server import ring
from tasks.federated.secure.shamir import PRIME, combine, split
from tasks.federated.secure_aggregation import CORRUPT, SMALL, SecureAggregation

SECRET = bytes(range(32))


def drawn(seed: int = 0) -> random.Random:
    return random.Random(seed)


def test_the_field_is_of_a_prime() -> None:
    """Fermat's test to 40 bases: a composite number that is no Carmichael number passes with probability 2^-40 at most."""
    source = drawn()
    assert all(pow(source.randrange(2, PRIME), PRIME - 1, PRIME) == 1 for _ in range(40))
    assert not all(pow(source.randrange(2, PRIME + 2), PRIME + 1, PRIME + 2) == 1 for _ in range(40)), "a composite number is noticed"


@settings(deadline=None, max_examples=50)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 12), st.integers(0, 8), st.integers(0, 2**32))
def test_any_shares_as_many_as_the_threshold_give_the_secret_back(secret: bytes, threshold: int, more: int, seed: int) -> None:
    source = drawn(seed)
    points = source.sample(range(1, 10**6), threshold + more)
    shares = split(secret, points, threshold, lambda: source.randrange(PRIME))
    chosen = source.sample(points, threshold)
    assert combine({point: shares[point] for point in chosen}) == secret


def test_fewer_shares_than_the_threshold_fit_every_secret() -> None:
    """For any other secret there is a polynomial through the shares that are known: they say nothing."""
    source = drawn()
    shares = split(SECRET, [1, 2, 3, 4], 3, lambda: source.randrange(PRIME))
    known = {1: shares[1], 2: shares[2]}
    for other in (bytes(32), b"\xff" * 32):
        value = int.from_bytes(other, "big")
        # the polynomial of degree 2 through (0, value) and both shares, at 3, by Lagrange with the point 0
        third = (
            value * (3 - 1) * (3 - 2) * pow(2, -1, PRIME) + known[1] * 3 * (3 - 2) * pow(-1, -1, PRIME) + known[2] * 3 * (3 - 1) * pow(2, -1, PRIME)
        ) % PRIME
        assert combine({**known, 3: third}) == other


def test_shares_that_are_wrong_do_not_give_the_secret_back() -> None:
    source = drawn()
    shares = split(SECRET, [1, 2, 3], 3, lambda: source.randrange(PRIME))
    shares[2] = (shares[2] + 1) % PRIME
    try:
        assert combine(shares) != SECRET
    except ValueError as error:
        assert "not of one secret" in str(error)
    with pytest.raises(ValueError, match="distinct"):
        split(SECRET, [1, 1], 2, lambda: 0)


def test_two_devices_agree_and_nobody_reads_or_changes_what_is_sealed() -> None:
    one, two, third = (KeyPair(bytes([number]) * 32) for number in (1, 2, 3))
    key = one.agree(two.public, "sealing")
    assert key == two.agree(one.public, "sealing") != one.agree(two.public, "mask")
    sealed = seal(key, 7, 8, b"shares")
    assert unseal(key, 7, 8, sealed) == b"shares" and seal(key, 8, 7, b"shares") != sealed
    for wrong in ((third.agree(two.public, "sealing"), 7, 8, sealed), (key, 8, 7, sealed), (key, 7, 8, sealed[:-1])):
        with pytest.raises(Refused, match="were changed"):
            unseal(*wrong)
    with pytest.raises(Refused, match="no key"):
        one.agree(bytes(32), "mask")


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("length", [1, 5, masks.PIECE // 4, masks.PIECE // 4 + 3, masks.PIECE])
def test_masks_are_the_whole_stream_of_their_seed_and_cancel(width: int, length: int) -> None:
    """The twin encrypts all zeros at once."""
    kind = np.dtype(f"u{width // 8}")
    seeds = [bytes([number]) * 32 for number in range(3)]
    streams = [Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor().update(bytes(length * kind.itemsize)) for seed in seeds]
    one, two, three = (np.frombuffer(stream, dtype=kind) for stream in streams)
    begin = np.arange(length, dtype=kind)
    vector = begin.copy()
    masks.apply(vector, seeds[:2], seeds[2:])
    assert np.array_equal(vector, begin + one + two - three) and not np.array_equal(vector, begin)
    masks.apply(vector, seeds[2:], seeds[:2])
    assert np.array_equal(vector, begin)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32))
def test_a_sum_is_as_near_as_stated(devices: int, bits: int, seed: int) -> None:
    point = FixedPoint.of(SecureAggregation(bits=bits), devices)
    values = np.random.default_rng(seed).uniform(-8, 8, size=(devices, 20))
    values[0, :4] = 8, -8, 0, 2.0 ** -(bits + 1)
    total = np.add.reduce([point.encode(row) for row in values], dtype=point.encode(values[0]).dtype)
    exact = [sum((int(value * 2**60) for value in column), 0) / 2**60 for column in values.T]
    assert np.max(np.abs(point.decode(total) - exact)) <= point.precision(devices) == devices / 2 ** (bits + 1)


def test_the_stated_precision_is_reached() -> None:
    """A claim of half of it would be seen to be wrong."""
    point = FixedPoint(10, 8.0, 32)
    off = np.full(1, 2.0**-11 * 0.999)
    assert abs(float(point.decode(point.encode(off) * np.uint32(7))[0]) - 7 * float(off[0])) > 0.99 * point.precision(7)


@pytest.mark.parametrize("place", [0, PIECE, PIECE + 1])
@pytest.mark.parametrize("value", [8.0000001, -9.0, float("nan"), float("inf")])
def test_a_number_beyond_the_range_is_refused(place: int, value: float) -> None:
    values = np.full(PIECE + 2, -8.0)
    FixedPoint(20, 8.0, 32).encode(values)
    values[place] = value
    with pytest.raises(UserError, match="no number beyond 8: raise"):
        FixedPoint(20, 8.0, 32).encode(values)


def test_the_modulus_is_the_narrower_in_which_the_sum_fits() -> None:
    assert [SecureAggregation().width(devices) for devices in (1, 255, 256)] == [32, 32, 64]
    wide = SecureAggregation(bits=40, clip_range=2.0**20)
    assert [wide.width(devices) for devices in (7, 8)] == [64, None]
    with pytest.raises(UserError, match="do not fit 64 bits"):
        FixedPoint.of(wide, 8)
    extreme = FixedPoint.of(SecureAggregation(), 255)
    assert extreme.decode(extreme.encode(np.full(1, -8.0)) * np.uint32(255))[0] == -8 * 255


@pytest.mark.parametrize(("count", "neighbours"), [(3, 2), (7, 4), (8, 7), (20, 6)])
def test_neighbourhood_is_mutual_and_of_one_size(count: int, neighbours: int) -> None:
    circle = np.random.default_rng(0).permutation(count).tolist()
    graph = ring(circle, neighbours)
    assert {name: len(others) for name, others in graph.items()} == dict.fromkeys(range(count), neighbours)
    assert all(name in graph[other] and name != other for name, others in graph.items() for other in others)


@pytest.mark.parametrize(("devices", "away"), [(50, 0), (100, 0), (100, 5), (1000, 0), (1000, 50)])
def test_neighbours_are_the_fewest_that_keep_to_the_bounds(devices: int, away: int) -> None:
    """Against scipy's hypergeometric tails."""
    block = SecureAggregation()
    gone, corrupt = away + int(np.ceil(0.05 * devices)), int(CORRUPT * devices)

    def kept(neighbours: int) -> bool:
        threshold = block.shares_needed(neighbours)
        read = devices * hypergeom(devices - 1, corrupt, neighbours).sf(threshold - 1)
        lost = devices * hypergeom(devices - 1, gone, neighbours).sf(neighbours - threshold)
        cut = devices * hypergeom(devices, corrupt + gone, neighbours // 2).pmf(neighbours // 2)
        return bool(max(read, cut) <= 2**-41 and lost <= 2**-30)

    found = block.needed(devices, away)
    assert found == next(neighbours for neighbours in itertools.chain(range(2, devices - 1, 2), [devices - 1]) if kept(neighbours))
    assert block.neighbours_of(devices, away) == found < devices - 1


def test_neighbours_are_all_others_among_few_and_never_fewer_than_it_takes() -> None:
    assert SecureAggregation().neighbours_of(SMALL, 5) == SMALL - 1 > SecureAggregation().neighbours_of(SMALL + 1, 0)
    needed = SecureAggregation().needed(100, 0)
    assert SecureAggregation(neighbours=4).neighbours_of(100, 0) == needed
    assert SecureAggregation(neighbours=60).neighbours_of(100, 0) == 60 and SecureAggregation(neighbours=600).neighbours_of(100, 0) == 99
    assert SecureAggregation().neighbours_of(6, 2) == 5
    for devices, away, reason in ((2, 0, "ask at least 3"), (6, 3, "3 of 6 devices drop out"), (100, 35, "40 of 100 devices drop out")):
        with pytest.raises(UserError, match=reason):
            SecureAggregation().neighbours_of(devices, away)
