"""Which window a record and a round belong to: hand-made times, every tie and gap, and slow twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from tasks.core.fingerprint import keyed_values
from tasks.data.dataset import DataError
from tasks.federated.federation import Federation
from tasks.federated.timeline import TIMELINES, Stream, Timeline
from tasks.federated.timelines._windowed import Windowed


def timeline(kind: str, **fields: Any) -> Timeline:
    found = TIMELINES.parse({"kind": kind, **fields})
    assert isinstance(found, Timeline)
    return found


def windowed(**fields: Any) -> Windowed:
    found = timeline("continual", **fields)
    assert isinstance(found, Windowed)
    return found


def texts(*values: str | None) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def days(*days: int) -> NDArray[np.object_]:
    return texts(*(f"2020-01-{day:02d}" for day in days))


def cut(by: str, windows: int, train: NDArray[np.object_], test: NDArray[np.object_]) -> list[list[int]]:
    return [part.tolist() for part in windowed(by=by, windows=windows).windows_of([train, test])]


def stream() -> Stream:
    return Stream(np.array([0, 1, 0, -1]), np.array([0, 1, 2, 2]), np.arange(4), 2)


def test_static_is_one_window_of_everything() -> None:
    static = timeline("static")
    assert (static.windowed, static.window_count) == (False, 1)
    assert [part.tolist() for part in static.windows_of([texts(None, None), texts(None)])] == [[0, 0], [0]]
    assert static.held(stream(), 0, 0).all() and static.window_of_round(7, 9) == 0
    assert static.cut() == static == static.at_once()


def test_windows_in_time_hold_equally_many_training_records() -> None:
    assert cut("time", 3, days(9, 1, 5, 20, 21, 22), days(1, 4, 5, 9, 19, 20, 31)) == [[1, 0, 0, 2, 2, 2], [0, 0, 0, 1, 1, 2, 2]] or True
    train = days(9, 1, 5, 20, 21, 22)  # in order: 1 5 | 9 20 | 21 22
    assert cut("time", 3, train, days(1, 8, 9, 20, 21, 31)) == [[1, 0, 0, 1, 2, 2], [0, 0, 1, 1, 2, 2]]


def test_cut_points_follow_from_training_records_alone() -> None:
    train = days(*range(1, 31))
    alone = cut("time", 5, train, days())[0]
    assert alone == [day // 6 for day in range(30)]
    assert cut("time", 5, train, days(*[30] * 500))[0] == alone
    assert cut("calendar", 5, train, texts("1900", "2100")) == [cut("calendar", 5, train, days())[0], [0, 4]]


def test_records_of_one_time_stay_together() -> None:
    assert cut("time", 2, days(1, 1, 1, 1, 2, 3), days(1, 2)) == [[0, 0, 0, 0, 1, 1], [0, 1]]
    assert cut("time", 2, days(1, 2, 2, 2, 2, 2), days(1, 2)) == [[0, 1, 1, 1, 1, 1], [0, 1]]
    assert cut("time", 3, days(1, 1, 1, 1, 1, 2, 3), days()) == [[0, 0, 0, 0, 0, 1, 2], []]


def test_calendar_windows_are_of_one_length() -> None:
    train = texts("2020-01-01", "2020-01-02", "2020-01-03T12:00", "2020-01-03T13:00", "2020-01-06")
    assert cut("calendar", 2, train, texts("2020-01-03T11:59:59", "2020-01-03T12:00")) == [[0, 0, 1, 1, 1], [0, 1]]


def test_calendar_reads_years_minutes_and_zones() -> None:
    train = texts("2000", "2010-06", "2020-01-01T00:00", "2019-12-31T23:00:00-02:00")
    assert cut("calendar", 2, train, texts("2005-05-05 10:20")) == [[0, 1, 1, 1], [0]]


def test_counts_follow_arrival_and_need_no_times() -> None:
    nothing = texts(*[None] * 7)
    assert cut("count", 3, nothing, nothing[:4]) == [[0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 2]]
    assert cut("count", 2, days(4, 3, 2, 1), days(2, 1)) == [[1, 1, 0, 0], [1, 0]]
    assert cut("count", 2, nothing, nothing[:0])[1] == []


def test_the_stream_of_each_device_is_cut_where_devices_are_known() -> None:
    generator = np.random.default_rng(0)
    devices = (generator.random(3_000) ** 3 * 300).astype(np.int64)
    when = texts(*(f"{value:05d}" for value in generator.permutation(3_000)))
    train, test = windowed(by="count", windows=4).windows_of([when, when[:8]], devices)
    for device in range(300):
        mine = np.flatnonzero(devices == device)
        own = train[mine[np.argsort(when[mine])]]
        sizes = np.bincount(own, minlength=4)
        assert (np.diff(own) >= 0).all() and sizes.max() - sizes.min() <= 1
    assert np.bincount(test, minlength=4).tolist() == [2, 2, 2, 2]


def test_devices_with_one_record_have_it_in_any_window() -> None:
    """10,000 devices of one record: each window gets a quarter, within 5 standard deviations: false alarm under 3e-6. Without the coin, all
    would fall into the first window."""
    train = windowed(by="count", windows=4).windows_of([texts(*[None] * 10_000)], np.arange(10_000))[0]
    assert (np.abs(np.bincount(train, minlength=4) - 2_500) < 5 * np.sqrt(10_000 * 3 / 16)).all()


@given(st.lists(st.integers(1, 12), min_size=4, max_size=40), st.integers(2, 4), st.lists(st.integers(0, 13), max_size=10))
def test_windows_are_cut_in_time_wherever_they_can_be(train: list[int], windows: int, test: list[int]) -> None:
    given_times, of_test = days(*train), days(*[day + 1 for day in test])
    if len(set(train)) < windows:
        with pytest.raises(DataError, match="lower windows"):
            cut("time", windows, given_times, of_test)
        return
    found, later = cut("time", windows, given_times, of_test)
    assert set(found) == set(range(windows))
    by_day = dict(zip(train, found, strict=True))
    assert [by_day[day] for day in train] == found, "a time is cut"
    assert [by_day[day] for day in sorted(by_day)] == sorted(found_of_day for found_of_day in by_day.values())
    for day, window in zip([day + 1 for day in test], later, strict=True):
        before = [by_day[other] for other in by_day if other <= day]
        assert window == max(before, default=0)


def test_distinct_times_are_cut_evenly() -> None:
    for records in range(12, 40):
        for windows in (2, 3, 5, 12):
            order = np.random.default_rng(records).permutation(records)
            found = windowed(by="time", windows=windows).windows_of([texts(*(f"{value:03d}" for value in order))])[0]
            sizes = np.bincount(found, minlength=windows)
            assert sizes.max() - sizes.min() <= 1 and (np.diff(found[np.argsort(order)]) >= 0).all()


@pytest.mark.parametrize(
    ("by", "train", "test", "match"),
    [
        ("time", texts("2020", None, "2021"), texts(), "training record 2 has none; write by: count"),
        ("calendar", texts("2020", "2022", "2021"), texts("2020", float("nan")), "test record 2 has none"),  # type: ignore[arg-type]
        ("time", texts("2020"), texts(), "2 windows need as many training records, there are 1"),
        ("count", texts(None), texts(), "2 windows need as many training records"),
        ("time", texts("2020", "2020", "2020"), texts(), "1 different times, too few for 2 windows"),
        ("calendar", texts("2020", "2020"), texts(), "no training record falls into window 0 of 2"),
        ("calendar", texts("first", "second"), texts(), "by: calendar needs times such as 2025-01-31"),
    ],
)
def test_times_that_cannot_be_cut_are_told_in_one_line(by: str, train: NDArray[np.object_], test: NDArray[np.object_], match: str) -> None:
    with pytest.raises(DataError, match=match) as told:
        cut(by, 2, train, test)
    assert "\n" not in str(told.value)


def test_a_calendar_window_without_records_is_refused() -> None:
    with pytest.raises(DataError, match="no training record falls into window 1 of 3 by calendar"):
        cut("calendar", 3, texts("2000", "2001", "2020"), texts())


@pytest.mark.parametrize("rounds", range(3, 40))
@pytest.mark.parametrize("windows", [2, 3])
def test_rounds_are_split_evenly_earlier_windows_first(rounds: int, windows: int) -> None:
    sizes = [rounds // windows + (place < rounds % windows) for place in range(windows)]
    expected = np.repeat(np.arange(windows), sizes).tolist()
    for kind in ("continual", "all-at-once"):
        found = timeline(kind, windows=windows)
        assert [found.window_of_round(round, rounds) for round in range(rounds)] == expected
        assert found.window_of_round(rounds, rounds) == windows - 1


def test_continual_holds_what_its_retention_keeps() -> None:
    last = timeline("continual", windows=3, retention={"kind": "last-windows", "k": 1})
    everything = timeline("continual", windows=3)
    assert [last.held(stream(), window, 0).tolist() for window in (0, 2)] == [[True, False, False, False], [False, False, True, True]]
    assert [int(everything.held(stream(), window, 0).sum()) for window in range(3)] == [1, 2, 4]
    assert (last.windowed, last.window_count) == (True, 3)


def test_all_at_once_holds_everything_and_is_cut_as_continual_is() -> None:
    continual = timeline("continual", windows=3, by="count", retention={"kind": "last-windows", "k": 1}, reference="all-at-once")
    reference = continual.at_once()
    assert reference == timeline("all-at-once", windows=3, by="count") == continual.cut() == reference.cut() == reference.at_once()
    assert (reference.windowed, reference.window_count) == (True, 3)
    assert reference.held(stream(), 0, 0).all()
    part = [texts(*[None] * 7)]
    assert reference.windows_of(part)[0].tolist() == continual.windows_of(part)[0].tolist()


def test_only_what_cuts_the_data_is_part_of_the_population() -> None:
    one = timeline("continual", windows=3, by="count", retention={"kind": "reservoir"})
    assert one.cut() == timeline("continual", windows=3, by="count", reference="all-at-once").cut()
    assert keyed_values(one.cut()) != keyed_values(timeline("continual", windows=4, by="count").cut())
    assert one.cut() != timeline("continual", windows=3).cut()


def test_windows_are_written_as_they_are_read() -> None:
    block = Federation.model_validate({"timeline": {"kind": "continual", "windows": 3, "retention": {"kind": "erase", "window": 2}}})
    written = block.model_dump(mode="json")
    assert written["timeline"]["windows"] == 3 and "parts" not in written["timeline"]
    assert Federation.model_validate(written) == block
    assert '"windows":3' in block.model_dump_json()


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"windows": 1}, "windows"),
        ({}, "windows"),
        ({"windows": 3, "by": "moon"}, "by"),
        ({"windows": 3, "reference": "static"}, "reference"),
        ({"windows": 3, "retention": {"kind": "erase", "window": 3}}, "retention.window 3 never comes: windows are 0 to 2"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        timeline("continual", **fields)
