"""Populations: who holds which test record, activity, deciles, inequality, and a faithful round trip."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from tasks.core.seeds import numpy_generator
from tasks.data.dataset import DataError
from tasks.data.datasets._ubuntu_irc import SOURCES, messages
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.population import Population, build, gini

RECORDS = pd.DataFrame({"id": list("abcdefgh"), "text": ["x"] * 8, "user": ["u2", "u1", "u2", "u3", "u2", "u1", None, "u4"]})
TESTS = pd.DataFrame({"id": list("pqrst"), "text": ["x"] * 5, "user": ["u1", "u9", "u2", None, "u4"]})


def made(kind: str, **fields: object) -> Partition:
    partition = PARTITIONS.parse({"kind": kind, **fields})
    assert isinstance(partition, Partition)
    return partition


def built(partition: Partition, train: pd.DataFrame, test: pd.DataFrame, seed: int = 0) -> Population:
    return build(partition, train, test, np.zeros(len(train), dtype=np.int64), np.zeros(len(test), dtype=np.int64), seed)


def of_activity(activity: NDArray[np.int64], prefix: str = "") -> Population:
    train = np.repeat(np.arange(len(activity)), activity)
    names = tuple(f"{prefix}{place:06d}" for place in range(len(activity)))
    nothing = np.zeros(0, dtype=np.int64)
    return Population(names, train, nothing, np.zeros(len(train), dtype=np.int64), nothing)


def small() -> Population:
    window, test_window = np.array([0, 0, 1, 1, 2, 2, 2, 0]), np.array([0, 1, 2, 3, 0])
    return build(made("natural", minimum_examples=2), RECORDS, TESTS, window, test_window, 0)


def test_a_hand_made_population() -> None:
    population = small()
    assert population.names == ("u1", "u2")
    assert list(population.train) == [1, 0, 1, -1, 1, 0, -1, -1]
    assert list(population.test) == [0, -1, 1, -1, -1]  # u9 is unknown, u4 has too few records, one has no user
    assert list(population.activity) == [2, 3]
    assert population.activity_by_window.tolist() == [[1, 1], [0, 1], [1, 1], [0, 0]]  # the last window has only a test record
    facts = population.facts()
    assert (facts["devices"], facts["windows"], facts["records_held"], facts["records_not_held"]) == (2, 4, 5, 3)
    assert (facts["test_records_held"], facts["test_records_not_held"], facts["median"], facts["largest"]) == (2, 3, 2.5, 3)
    assert facts["gini"] == pytest.approx(0.1) and facts["top_1_percent_share"] == facts["top_10_percent_share"] == 0.6


def test_a_saved_population_is_the_same(tmp_path: Path) -> None:
    population = small()
    population.save(tmp_path)
    loaded = Population.load(tmp_path)
    assert loaded.digest == population.digest == json.loads((tmp_path / "population.json").read_text())["digest"]
    assert loaded.names == population.names and loaded.facts() == population.facts()
    for field in ("train", "test", "train_window", "test_window", "activity", "activity_by_window", "train_ids", "test_ids"):
        assert np.array_equal(getattr(loaded, field), getattr(population, field)), field
    devices = pd.read_parquet(tmp_path / "devices.parquet")
    assert list(devices.columns) == ["name", "activity", "decile", "window_0", "window_1", "window_2", "window_3"]
    assert (devices["activity"] == devices.filter(like="window_").sum(axis=1)).all()
    assert list(pd.read_parquet(tmp_path / "train.parquet")["id"]) == list("abcdefgh")


def test_a_population_without_ids_is_saved_too(tmp_path: Path) -> None:
    population = of_activity(np.array([3, 1]))
    population.save(tmp_path)
    assert Population.load(tmp_path).digest == population.digest
    assert list(pd.read_parquet(tmp_path / "train.parquet").columns) == ["device", "window"]


def test_the_digest_sees_every_part() -> None:
    given = small()
    parts = {name: getattr(given, name) for name in ("names", "train", "test", "train_window", "test_window", "train_ids", "test_ids")}
    digests = {given.digest, Population(**parts).digest}
    assert len(digests) == 1
    for name, value in parts.items():
        changed = np.array(value, dtype=object if isinstance(value[0], str) else np.int64)
        changed[0] = value[0] + ("z" if isinstance(value[0], str) else 1)
        digests.add(Population(**{**parts, name: changed.tolist() if name == "names" else changed}).digest)
    assert len(digests) == 8


@pytest.mark.parametrize("count", [1, 5, 10, 19, 100, 1_003])
def test_deciles_are_even_and_by_activity(count: int) -> None:
    activity = numpy_generator(count, "activity").zipf(1.7, count).clip(max=1_000)
    deciles = of_activity(activity).deciles()
    sizes = np.bincount(deciles, minlength=11)[1:]
    assert sizes.sum() == count and (np.abs(sizes - count / 10) < 1).all()
    assert deciles[activity.argmax()] >= deciles.max() - (activity == activity.max()).sum() and deciles.max() == 10
    for decile in range(1, 10):
        below, above = activity[deciles <= decile], activity[deciles > decile]
        assert not len(below) or below.max() <= above.min()


def test_ties_of_deciles_go_by_name_not_by_place() -> None:
    """1,000 equal devices: the lower half of places has about half of each decile. Within 5 standard deviations: false alarm 6e-7 each."""
    activity = np.ones(1_000, dtype=np.int64)
    deciles = of_activity(activity).deciles()
    early = np.bincount(deciles[:500], minlength=11)[1:]
    assert (np.abs(early - 50) < 5 * 5).all()
    assert (deciles == of_activity(activity).deciles()).all()
    assert (deciles != of_activity(activity, "other-").deciles()).any()


@pytest.mark.parametrize("activity", [[5, 5, 5], [0, 0, 9], [1, 2, 3, 4, 50], list(range(40))])
def test_gini_is_half_the_relative_mean_difference(activity: list[int]) -> None:
    values = np.array(activity)
    expected = np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())
    assert gini(values) == pytest.approx(expected, abs=1e-12)


def test_gini_of_nothing_is_nothing() -> None:
    assert gini(np.zeros(0, dtype=np.int64)) == gini(np.zeros(3, dtype=np.int64)) == 0.0


def test_test_records_follow_activity_where_devices_differ_in_nothing_else() -> None:
    """Chi-square against training shares; false alarm 1e-4. A deal that is even over devices would be seen."""
    train, test = pd.DataFrame({"text": ["x"] * 4_000}), pd.DataFrame({"text": ["x"] * 20_000})
    population = built(made("quantity-dirichlet", devices=20, beta=2, minimum_examples=20), train, test, 3)
    found = np.bincount(population.test, minlength=20)
    assert chisquare(found, population.activity * 5).pvalue > 1e-4
    assert chisquare(found, np.full(20, 1_000)).pvalue < 1e-9


def test_test_records_follow_the_labels_of_devices() -> None:
    """Per label a chi-square against who holds its training records: 5 tests, false alarm 5e-5. Labels that no device has stay alone."""
    generator = numpy_generator(0, "table")
    train = pd.DataFrame({"text": "x", "label": [f"l{value}" for value in generator.integers(5, size=3_000)]})
    test = pd.DataFrame({"text": "x", "label": [f"l{value}" for value in generator.integers(6, size=12_000)]})
    population = built(made("label-dirichlet", devices=15, alpha=1), train, test, 2)
    labels = test["label"].to_numpy()
    assert ((population.test == -1) == (labels == "l5")).all()
    for label in range(5):
        held = np.bincount(population.train[train["label"] == f"l{label}"], minlength=15)
        found = np.bincount(population.test[labels == f"l{label}"], minlength=15)
        assert not found[held == 0].any()
        assert chisquare(found[held > 0], held[held > 0] * found.sum() / held.sum()).pvalue > 1e-5


def test_records_of_left_out_devices_attract_no_test_records() -> None:
    class Half(Partition):
        def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
            return np.array(["one", None] * (len(records) // 2), dtype=object)

    population = built(Half(kind="half"), RECORDS, TESTS)
    assert population.names == ("one",) and list(population.test) == [0] * 5 and population.facts()["records_not_held"] == 4


def test_the_seed_decides_the_deal_and_natural_devices_ignore_it() -> None:
    train, test = pd.DataFrame({"text": ["x"] * 500}), pd.DataFrame({"text": ["x"] * 100})
    digests = [built(made("iid", devices=10), train, test, seed).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
    assert built(made("natural"), RECORDS, TESTS, 1).digest == built(made("natural"), RECORDS, TESTS, 2).digest


def test_time_windows_hold_the_test_records_of_their_time() -> None:
    train = pd.DataFrame({"time": [f"20{year:02d}" for year in range(12)]})
    test = pd.DataFrame({"time": ["2000", "2004-05", "2011", "2030"]})
    population = built(made("time-windows", windows=3), train, test)
    assert list(population.test) == [0, 1, 2, 2] and population.names == ("window-00", "window-01", "window-02")


def test_devices_without_any_record_are_an_empty_population() -> None:
    population = built(made("natural", minimum_examples=9), RECORDS, TESTS)
    assert population.names == () and (population.test == -1).all()
    assert population.facts()["gini"] == 0 and population.facts()["records_not_held"] == 8 and len(population.deciles()) == 0


def test_test_records_without_the_column_are_refused() -> None:
    with pytest.raises(DataError, match="partition natural: the data has no column user"):
        built(made("natural"), RECORDS, TESTS.drop(columns="user"))


def test_natural_devices_of_the_irc_logs_have_the_known_activity(catalogue: Path) -> None:
    logs = messages({source.name: (catalogue / "ubuntu-irc" / source.name).read_bytes().decode() for source in SOURCES})
    people = logs[~logs["user"].isin(["ubottu", "ubotu"])].reset_index(drop=True)
    facts = built(made("natural"), people, people[::10]).facts()
    assert (facts["devices"], facts["records_held"], facts["records_not_held"], facts["largest"]) == (17_775, 216_660, 0, 2_073)
    assert (round(facts["gini"], 2), round(facts["top_10_percent_share"], 2), facts["median"]) == (0.69, 0.57, 4)
    assert facts["test_records_not_held"] == 0
    count = Counter(people["user"])
    active = built(made("natural", minimum_examples=10, devices=100), people, people[::10])
    assert len(active.names) == 100 and list(active.names) == sorted(active.names) and all(count[name] >= 10 for name in active.names)
    assert list(active.activity) == [count[name] for name in active.names]
    own = people["user"][::10].to_numpy()
    assert [active.names[place] for place in active.test if place >= 0] == [name for name in own if name in set(active.names)]
