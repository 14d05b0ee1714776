"""What devices keep: hand-made streams with known answers, and a slow twin that goes through the windows of each device one by one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import chisquare

from tasks.core.seeds import numpy_generator
from tasks.federated.retention import RETENTIONS, Retention
from tasks.federated.timeline import Stream

EVERY: dict[str, dict[str, Any]] = {
    "keep-all": {"kind": "keep-all"},
    "last": {"kind": "last-windows", "k": 1},
    "last-two": {"kind": "last-windows", "k": 2},
    "fifo": {"kind": "capacity-fifo", "capacity": 4},
    "reservoir": {"kind": "reservoir", "capacity": 4},
    "replay": {"kind": "replay", "k": 2},
    "replay-none": {"kind": "replay", "k": 0},
    "erase": {"kind": "erase", "share": 0.5, "window": 2},
    "erase-last": {"kind": "erase", "share": 0.5, "window": 1, "k": 2},
}
WINDOWS = 5


def retention(name: str) -> Retention:
    found = RETENTIONS.parse(EVERY[name])
    assert isinstance(found, Retention)
    return found


def stream(records: int = 400, devices: int = 25, windows: int = WINDOWS, seed: int = 0) -> Stream:
    """Skewed devices, records in no order, some of no device; as in real data, windows follow the order of arrival."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(records)
    client = (generator.random(records) ** 3 * devices).astype(np.int64)
    client[generator.random(records) < 0.05] = -1
    return Stream(client, order * windows // records, order, devices)


def hand_made() -> Stream:
    """Device 0 gets records 0, 2, 4 in windows 0, 1, 2; device 1 gets 1, 3 in windows 0, 0 (3 first) and 5, 6 in window 2 (6 first)."""
    return Stream(np.array([0, 1, 0, 1, 0, 1, 1]), np.array([0, 0, 1, 0, 2, 2, 2]), np.array([0, 2, 3, 1, 4, 6, 5]), 2)


def kept(rule: dict[str, Any], given: Stream, window: int, seed: int = 0) -> list[int]:
    found = RETENTIONS.parse(rule)
    assert isinstance(found, Retention)
    return np.flatnonzero(found.kept(given, window, seed)).tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "keep-all"}, [[0, 1, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]]),
        ({"kind": "last-windows", "k": 1}, [[0, 1, 3], [2], [4, 5, 6]]),
        ({"kind": "last-windows", "k": 2}, [[0, 1, 3], [0, 1, 2, 3], [2, 4, 5, 6]]),
        ({"kind": "capacity-fifo", "capacity": 1}, [[0, 1], [1, 2], [4, 5]]),
        ({"kind": "capacity-fifo", "capacity": 2}, [[0, 1, 3], [0, 1, 2, 3], [2, 4, 5, 6]]),
        ({"kind": "capacity-fifo", "capacity": 3}, [[0, 1, 3], [0, 1, 2, 3], [0, 1, 2, 4, 5, 6]]),
        ({"kind": "reservoir", "capacity": 4}, [[0, 1, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]]),
        ({"kind": "replay", "k": 0}, [[0, 1, 3], [2], [4, 5, 6]]),
        ({"kind": "replay", "k": 2}, [[0, 1, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6]]),
        ({"kind": "erase", "share": 1.0, "window": 1}, [[0, 1, 3], [], []]),
        ({"kind": "erase", "share": 0.0, "window": 1, "k": 1}, [[0, 1, 3], [2], [4, 5, 6]]),
    ],
)
def test_a_hand_made_stream(rule: dict[str, Any], expected: list[list[int]]) -> None:
    assert [kept(rule, hand_made(), window) for window in range(3)] == expected


def twin(rule: dict[str, Any], given: Stream, window: int, seed: int) -> set[int]:
    """The rule as a device would follow it: window after window, with nothing but what it holds."""
    priorities = numpy_generator(seed, "reservoir").random(len(given.client))
    leaves = numpy_generator(seed, "erase").random(given.devices)
    found: set[int] = set()
    for device in range(given.devices):
        held: list[int] = []
        for now in range(window + 1):
            new = [record for record in range(len(given.client)) if given.client[record] == device and given.window[record] == now]
            held = _after(rule, given, held, sorted(new, key=lambda record: int(given.order[record])), now, priorities, float(leaves[device]))
        found |= set(held)
    return found


def _after(rule: dict[str, Any], given: Stream, held: list[int], new: list[int], now: int, priorities: NDArray[np.float64], leaves: float) -> list[int]:
    kind = rule["kind"]
    if kind == "keep-all":
        return held + new
    if kind == "last-windows":
        return [record for record in held if given.window[record] > now - rule["k"]] + new
    if kind == "capacity-fifo":
        return (held + new)[-rule["capacity"] :]
    if kind == "reservoir":
        return sorted(held + new, key=lambda record: float(priorities[record]))[: rule["capacity"]]
    if kind == "replay":
        return sorted(held, key=lambda record: float(priorities[record]))[: rule["k"]] + new
    if now >= rule["window"] and leaves < rule["share"]:
        return []
    return [record for record in held if rule.get("k") is None or given.window[record] > now - rule["k"]] + new


@pytest.mark.parametrize("name", EVERY)
def test_every_rule_is_that_of_a_slow_twin_with_no_memory_but_what_it_holds(name: str) -> None:
    for seed in (0, 1):
        given = stream(seed=seed)
        for window in range(WINDOWS):
            found = np.flatnonzero(retention(name).kept(given, window, seed) & (given.client >= 0))
            assert set(found.tolist()) == twin(EVERY[name], given, window, seed), (name, window)


@pytest.mark.parametrize("name", EVERY)
def test_nothing_of_a_later_window_and_nothing_dropped_comes_back(name: str) -> None:
    given, before = stream(seed=3), np.zeros(400, dtype=np.bool_)
    for window in range(WINDOWS):
        held = retention(name).kept(given, window, 5)
        assert held.dtype == np.bool_ and held.shape == (400,)
        assert not (held & (given.window > window)).any()
        assert not (held & ~before & (given.window < window)).any(), "a record came back"
        before = held


def test_a_fresh_draw_in_each_window_would_be_seen_to_bring_records_back() -> None:
    """Positive control of the check above: samples of one window and of the next that are not nested."""
    given = stream(seed=3)
    one, two = (retention("reservoir").kept(given, window, seed) for window, seed in ((3, 5), (4, 6)))
    assert (two & ~one & (given.window < 4)).any()


@pytest.mark.parametrize("name", ["reservoir", "replay", "erase"])
def test_the_seed_decides_what_is_drawn(name: str) -> None:
    given = stream()
    draws = [retention(name).kept(given, 3, seed).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def _uniform(samples: Iterable[frozenset[int]], size: int, count: int) -> float:
    subsets = {frozenset(chosen): place for place, chosen in enumerate(combinations(range(count), size))}
    found = np.bincount([subsets[sample] for sample in samples], minlength=len(subsets))
    return float(chisquare(found).pvalue)


def test_a_reservoir_is_any_subset_with_equal_probability() -> None:
    """Chi-square over all 20 subsets of 3 of 6 records, after each of two windows; 2 tests, false alarm 2e-4 together. The newest three
    in every draw (a rule that is not uniform) would be seen."""
    given = Stream(np.zeros(8, dtype=np.int64), np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.arange(8), 1)
    rule = RETENTIONS.parse({"kind": "reservoir", "capacity": 3})
    assert isinstance(rule, Retention)
    for window, count in ((0, 6), (1, 8)):
        draws = [frozenset(np.flatnonzero(rule.kept(given, window, seed)).tolist()) for seed in range(3_000)]
        assert _uniform(draws, 3, count) > 1e-4
    newest = [frozenset({3, 4, 5}) if seed % 10 == 0 else draw for seed, draw in enumerate(draws) if max(draw) < 6]
    assert _uniform(newest, 3, 6) < 1e-4


def test_the_reservoir_moves_as_algorithm_r_does() -> None:
    """One record after another: record i enters with probability k/i and drops each of those held equally often, as in Vitter's algorithm.
    Both counts within 5 standard deviations: false alarm under 2e-5 over all 30 comparisons."""
    capacity, records, draws = 3, 8, 4_000
    given = Stream(np.zeros(records, dtype=np.int64), np.arange(records), np.arange(records), 1)
    rule = RETENTIONS.parse({"kind": "reservoir", "capacity": capacity})
    assert isinstance(rule, Retention)
    entered, dropped = np.zeros(records), np.zeros(capacity)
    for seed in range(draws):
        held: list[int] = []
        for record in range(records):
            after = np.flatnonzero(rule.kept(given, record, seed)).tolist()
            if record in after:
                entered[record] += 1
                if len(held) == capacity:
                    dropped[held.index(next(iter(set(held) - set(after))))] += 1
            held = after
    expected = np.minimum(1.0, capacity / np.arange(1, records + 1))
    assert (np.abs(entered / draws - expected) <= 5 * np.sqrt(expected * (1 - expected) / draws)).all()
    share = dropped / dropped.sum()
    assert (np.abs(share - 1 / capacity) < 5 * np.sqrt((2 / 9) / dropped.sum())).all()


def test_replay_keeps_k_of_what_came_before_and_the_whole_window() -> None:
    given = stream(seed=2)
    for window in range(WINDOWS):
        held = retention("replay").kept(given, window, 0) & (given.client >= 0)
        old = np.bincount(given.client[held & (given.window < window)], minlength=given.devices)
        seen = np.bincount(given.client[(given.client >= 0) & (given.window < window)], minlength=given.devices)
        assert (old == np.minimum(seen, 2)).all()
        assert (held == (given.client >= 0))[given.window == window].all()


def test_the_share_of_devices_erased_is_the_share_asked_for() -> None:
    """20,000 devices, within 5 standard deviations: false alarm 6e-7."""
    devices = 20_000
    given = Stream(np.arange(devices), np.zeros(devices, dtype=np.int64), np.arange(devices), devices)
    rule = RETENTIONS.parse({"kind": "erase", "share": 0.3, "window": 1})
    assert isinstance(rule, Retention)
    assert rule.kept(given, 0, 4).all()
    first, second = rule.kept(given, 1, 4), rule.kept(given, 2, 4)
    assert abs((~first).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / devices) and (first == second).all()
    assert np.array_equal(rule.erased(devices, 1, 4), ~first) and not rule.erased(devices, 0, 4).any()


@pytest.mark.parametrize("name", EVERY)
def test_no_record_at_all(name: str) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert retention(name).kept(Stream(nothing, nothing, nothing, 3), 2, 0).shape == (0,)


@pytest.mark.parametrize(("name", "by"), [("fifo", "order"), ("reservoir", "priority")])
def test_many_devices_against_pandas(name: str, by: str) -> None:
    """200,000 records of 18,000 devices: the four first of each group."""
    given = stream(200_000, 18_000, 6)
    priorities = numpy_generator(7, "reservoir").random(200_000)
    table = pd.DataFrame({"client": given.client, "order": -given.order, "priority": priorities})[given.window <= 4]
    first = table.sort_values(by).groupby("client").head(4).index
    assert np.array_equal(np.flatnonzero(retention(name).kept(given, 4, 7)), np.sort(first))


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "last-windows", "k": 0},
        {"kind": "capacity-fifo", "capacity": 0},
        {"kind": "reservoir", "capacity": 0},
        {"kind": "replay", "k": -1},
        {"kind": "erase", "share": 1.1},
        {"kind": "erase", "window": 0},
        {"kind": "keep-all", "k": 1},
    ],
)
def test_what_makes_no_sense_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RETENTIONS.parse(rule)
