"""Partitions: every record once, sizes, skew against closed forms and another library, and what cannot be dealt."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from tasks.core.seeds import numpy_generator
from tasks.data.dataset import DataError
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.partitions._dirichlet import deal

BLOCKS: dict[str, dict[str, Any]] = {
    "natural": {},
    "iid": {"devices": 40},
    "label-dirichlet": {"devices": 40, "alpha": 0.5},
    "quantity-dirichlet": {"devices": 40, "beta": 0.5},
    "cluster-dirichlet": {"devices": 40, "alpha": 0.5, "clusters": 4},
    "shards": {"devices": 40},
    "time-windows": {"windows": 9},
}
TOPICS = ("rain sun wind cloud", "song band guitar drum", "bank money loan card", "flight plane seat gate")


def made(kind: str, **fields: Any) -> Partition:
    partition = PARTITIONS.parse({"kind": kind, **BLOCKS[kind], **fields})
    assert isinstance(partition, Partition)
    return partition


def table(count: int = 1_003, labels: int = 7, seed: int = 0) -> pd.DataFrame:
    generator = numpy_generator(seed, "table")
    label = np.minimum(generator.geometric(0.3, count) - 1, labels - 1)
    topic = generator.integers(4, size=count)
    return pd.DataFrame(
        {
            "text": [" ".join(generator.choice(TOPICS[place].split(), 5)) for place in topic],
            "topic": topic,
            "label": [f"label-{value}" for value in label],
            "user": [f"user-{value}" for value in generator.zipf(1.5, count)],
            "time": [f"2020-{month:02d}-{day:02d}" for month, day in zip(generator.integers(1, 13, count), generator.integers(1, 29, count), strict=True)],
        }
    )


def indices(assigned: NDArray[np.object_]) -> NDArray[np.int64]:
    return np.unique(assigned.astype(str), return_inverse=True)[1].astype(np.int64)


def simpson(devices: NDArray[np.int64], strata: NDArray[np.int64]) -> float:
    """Mean over devices of the sum of squared shares of strata: 1 where each device has one stratum."""
    shares = pd.crosstab(devices, strata, normalize="index").to_numpy()
    return float((shares**2).sum(axis=1).mean())


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_record_has_one_device_and_equal_sizes_are_equal(kind: str) -> None:
    partition, records = made(kind), table()
    assigned = partition.assign(records, 1)
    assert assigned.shape == (1_003,) and assigned.dtype == object and all(isinstance(name, str) for name in assigned)
    sizes = pd.Series(assigned).value_counts()
    declared = partition.model_dump()
    if kind != "natural":
        assert len(sizes) == declared.get("devices") or len(sizes) == declared["windows"]
    assert partition.equal_sizes == (sizes.max() - sizes.min() <= 2)


def test_every_kind_is_covered_and_says_what_it_needs() -> None:
    assert set(PARTITIONS.members()) >= set(BLOCKS)
    for kind in BLOCKS:
        records = table()
        needed = made(kind).columns or {"natural": ("user",), "label-dirichlet": ("label",)}.get(kind, ())
        for column in needed:
            with pytest.raises(DataError, match=f"partition {kind}: the data has no column {column}"):
                made(kind).assign(records.drop(columns=column), 0)


@pytest.mark.parametrize("kind", BLOCKS)
def test_the_seed_decides_where_it_is_said_to(kind: str) -> None:
    partition, records = made(kind), table()
    first, again, other = (partition.assign(records, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first == other).all() != partition.by_seed


@pytest.mark.parametrize("kind", ["iid", "label-dirichlet", "quantity-dirichlet", "cluster-dirichlet", "shards"])
def test_too_many_devices_are_refused_in_one_line(kind: str) -> None:
    with pytest.raises(DataError, match=rf"partition {kind}: 2000 devices need [24]000 records, there are 1003; lower partition.devices"):
        made(kind, devices=2_000).assign(table(), 0)


def test_names_sort_as_numbers() -> None:
    records = table(20_000)
    assert sorted(set(made("iid", devices=3).assign(records, 0))) == ["device-0000", "device-0001", "device-0002"]
    assert sorted(set(made("iid", devices=10_001).assign(records, 0)))[-1] == "device-10000"
    assert sorted(set(made("time-windows", windows=3).assign(records, 0))) == ["window-00", "window-01", "window-02"]


@pytest.mark.parametrize("column", ["user", "group", "slots"])
def test_label_skew_can_be_over_another_column(column: str) -> None:
    """The deal of a table in which that column is the label."""
    records = table()
    records["group"] = [f"group-{place % 5}" for place in range(len(records))]
    records["slots"] = [["O", f"{'BI'[place % 2]}-{place % 3}", "B-9"] if place % 4 else ["O"] for place in range(len(records))]
    wanted = [f"{place % 3}" if place % 4 else "" for place in range(len(records))] if column == "slots" else records[column]
    expected, found = made("label-dirichlet"), made("label-dirichlet", column=column)
    assert (found.assign(records, 1) == expected.assign(records.assign(label=wanted), 1)).all()
    assert (found.assign(records, 1) != expected.assign(records, 1)).any()
    test = records.head(20)
    for one, other in zip(
        found.strata(records, test, 1) or (), expected.strata(records.assign(label=wanted), test.assign(label=wanted[:20]), 1) or (), strict=True
    ):
        assert np.array_equal(one, other)
    with pytest.raises(DataError, match=f"partition label-dirichlet: the data has no column {column}"):
        found.assign(records.drop(columns=column), 0)


# natural


def test_natural_devices_are_those_of_another_library(capfd: pytest.CaptureFixture[str]) -> None:
    records = table()
    theirs = _by_flwr("NaturalIdPartitioner", {"partition_by": "user"}, records)
    ours = made("natural").assign(records, 0)
    assert (ours == records["user"]).all()
    assert len(set(zip(ours, theirs, strict=True))) == len(set(ours)) == len(set(theirs))


def test_natural_leaves_out_light_and_unknown_users() -> None:
    records = pd.DataFrame({"user": ["b", "a", None, "b", "", "", "c", "c"]})
    assert list(made("natural").assign(records, 0)) == ["b", "a", None, "b", None, None, "c", "c"]
    assert list(made("natural", minimum_examples=2).assign(records, 0)) == ["b", None, None, "b", None, None, "c", "c"]
    kept = made("natural", devices=1, minimum_examples=2).assign(records, 0)
    assert len({name for name in kept if name}) == 1


def test_fewer_natural_devices_are_a_subset_whatever_the_order_of_records() -> None:
    records = table()
    few, more = (made("natural", devices=count).assign(records, 0) for count in (5, 10))
    assert {name for name in few if name} < {name for name in more if name}
    shuffled = records.sample(frac=1, random_state=0)
    assert set(made("natural", devices=5).assign(shuffled, 9)) == set(few)


def test_natural_can_go_by_another_column() -> None:
    records = table().drop(columns="user")
    assert (made("natural", column="label").assign(records, 0) == records["label"]).all()


# iid and quantity


def test_iid_devices_do_not_differ_and_label_skew_is_seen_by_the_same_test() -> None:
    """Chi-square; false alarm 1e-4."""
    records = table(4_000)
    assert _p_value(made("iid", devices=20).assign(records, 3), records["label"]) > 1e-4
    assert _p_value(made("label-dirichlet", devices=20, alpha=5).assign(records, 3), records["label"]) < 1e-9


@pytest.mark.parametrize("minimum", [1, 10])
def test_quantity_leaves_content_alone_and_everyone_has_the_minimum(minimum: int) -> None:
    records = table(4_000)
    assigned = made("quantity-dirichlet", devices=20, beta=1, minimum_examples=minimum).assign(records, 3)
    assert pd.Series(assigned).value_counts().min() >= minimum
    assert _p_value(assigned, records["label"]) > 1e-4


@pytest.mark.parametrize("beta", [0.1, 1.0, 10.0])
def test_quantity_sizes_vary_as_a_dirichlet(beta: float) -> None:
    """Shares of Dirichlet(beta) over N have E[sum of squares] = (beta + 1) / (N beta + 1). Mean of 200 seeds, within 5 standard errors: false alarm 6e-7."""
    records, devices = pd.DataFrame({"text": ["x"] * 5_000}), 25
    squares = []
    for seed in range(200):
        sizes = np.bincount(indices(made("quantity-dirichlet", devices=devices, beta=beta).assign(records, seed)), minlength=devices)
        squares.append((((sizes - 1) / (5_000 - devices)) ** 2).sum())
    expected = (beta + 1) / (devices * beta + 1)
    assert abs(np.mean(squares) - expected) < 5 * np.std(squares) / 200**0.5 + 1e-4


def test_quantity_with_one_device_or_no_slack() -> None:
    records = table(40)
    assert set(made("quantity-dirichlet", devices=1).assign(records, 0)) == {"device-0000"}
    assert set(pd.Series(made("quantity-dirichlet", devices=20, minimum_examples=2).assign(records, 0)).value_counts()) == {2}


# skew by label or cluster


@pytest.mark.parametrize("alpha", [0.3, 3.0, 100.0])
def test_dirichlet_mixtures_have_their_closed_form(alpha: float) -> None:
    """n draws of a mixture of Dirichlet(alpha s) have E[sum of squared shares] = 1/n + (1 - 1/n)(1 + alpha sum s^2)/(1 + alpha), used-up strata aside.

    4,000 devices of 50: the mean over devices has a standard error under 0.004, and using up, which evens out, takes some 0.02; bound 0.03.
    """
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    strata = np.repeat(np.arange(4), (shares * 200_000).astype(int))
    found = simpson(deal(strata, 4_000, alpha, numpy_generator(5, "test")), strata)
    expected = 0.02 + 0.98 * (1 + alpha * (shares**2).sum()) / (1 + alpha)
    assert abs(found - expected) < 0.03
    assert abs(found - (0.02 + 0.98 * (1 + 4 * alpha * (shares**2).sum()) / (1 + 4 * alpha))) > 0.03 or alpha == 100  # alpha per label is another thing


@pytest.mark.slow
def test_dirichlet_mixtures_are_as_skewed_as_those_of_another_library() -> None:
    """Both draw per device from Dirichlet(alpha x shares) and refill; means of 12 seeds within 5 standard errors: false alarm 6e-7."""
    records = pd.DataFrame({"label": np.repeat(np.arange(5), [600, 400, 300, 200, 100])})
    shares = np.bincount(records["label"]) / len(records)
    strata = records["label"].to_numpy()
    ours, theirs = [], []
    for seed in range(12):
        ours.append(simpson(deal(strata, 40, 4.0, numpy_generator(seed, "test")), strata))
        fields = {"partition_sizes": [40] * 40, "partition_by": "label", "alpha": list(4.0 * shares), "seed": seed}
        theirs.append(simpson(_by_flwr("InnerDirichletPartitioner", fields, records), strata))
    error = (np.var(ours) / 11 + np.var(theirs) / 11) ** 0.5
    assert abs(np.mean(ours) - np.mean(theirs)) < 5 * error
    narrower = [simpson(deal(strata, 40, 1.0, numpy_generator(seed, "test")), strata) for seed in range(12)]
    assert np.mean(narrower) - np.mean(theirs) > 10 * error  # another alpha would be seen


@pytest.mark.parametrize(("kind", "column"), [("label-dirichlet", "label"), ("cluster-dirichlet", "topic")])
def test_skew_falls_as_alpha_grows_and_a_large_alpha_is_iid(kind: str, column: str) -> None:
    """Chi-square; false alarm 1e-4."""
    records = table(4_000)
    strata = indices(records[column].to_numpy(dtype=object))
    assigned = [made(kind, devices=25, alpha=alpha).assign(records, 2) for alpha in (1e-3, 0.1, 1.0, 10.0, 1e9)]
    skews = [simpson(indices(devices), strata) for devices in assigned]
    assert skews == sorted(skews, reverse=True) and skews[0] > 0.6
    assert _p_value(assigned[-1], records[column]) > 1e-4 > 1e-9 > _p_value(assigned[-2], records[column])


@pytest.mark.parametrize("alpha", [1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("strata", [np.arange(50), np.zeros(50, dtype=int), np.repeat([0, 1, 5], [1, 45, 4])])
def test_awkward_strata_are_dealt_in_full(alpha: float, strata: NDArray[np.int64]) -> None:
    """One record each, a single stratum, numbers that nobody has."""
    for devices in (1, 7, 50):
        sizes = np.bincount(deal(strata, devices, alpha, numpy_generator(0, "test")), minlength=devices)
        assert sizes.sum() == 50 and sizes.max() - sizes.min() <= 1


def test_which_records_of_a_stratum_a_device_gets_is_chance() -> None:
    """The place of a record within its label tells nothing of its device: correlation within 4 / sqrt(4000), false alarm 6e-5."""
    strata = np.repeat(np.arange(4), 1_000)
    devices = deal(strata, 10, 1.0, numpy_generator(1, "test"))
    for stratum in range(4):
        there = devices[strata == stratum]
        assert abs(np.corrcoef(np.arange(1_000), there)[0, 1]) < 4 / 1_000**0.5


def test_no_device_is_served_last() -> None:
    """Leftovers go to all alike: the skew of the first and the last half of 40 devices, 100 seeds, within 5 standard errors."""
    strata = np.repeat(np.arange(6), 100)
    gaps = []
    for seed in range(100):
        devices = deal(strata, 40, 0.5, numpy_generator(seed, "test"))
        early = devices < 20
        gaps.append(simpson(devices[early], strata[early]) - simpson(devices[~early], strata[~early]))
    assert abs(np.mean(gaps)) < 5 * np.std(gaps) / 10


def test_clusters_are_the_topics_and_do_not_depend_on_the_seed() -> None:
    train, test = table(), table(200, seed=1)
    partition = made("cluster-dirichlet")
    found = partition.strata(train, test, 0)
    again = partition.strata(train, test, 1)
    assert found is not None and again is not None
    assert (found[0] == again[0]).all() and (found[1] == again[1]).all()
    assert len(set(zip(found[0], train["topic"], strict=True))) == 4
    assert {*zip(found[1], test["topic"], strict=True)} == {*zip(found[0], train["topic"], strict=True)}


def test_texts_that_cannot_be_clustered_are_refused() -> None:
    alike = pd.DataFrame({"text": ["the same words"] * 50})
    with pytest.raises(DataError, match=r"4 clusters of 1 different texts; lower partition\.clusters"):
        made("cluster-dirichlet").assign(alike, 0)
    with pytest.raises(DataError, match="no words"):
        made("cluster-dirichlet").assign(pd.DataFrame({"text": ["?!"] * 50}), 0)


# shards


def test_shards_have_few_labels_and_are_those_of_another_library() -> None:
    """200 records of each of 10 labels, 100 devices of 2 shards of 10: no shard has two labels, and none is split in another way."""
    records = pd.DataFrame({"label": np.tile(np.arange(10), 200)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyarrow deprecates how datasets sorts
        theirs = _by_flwr("ShardPartitioner", {"num_partitions": 100, "partition_by": "label", "num_shards_per_partition": 2}, records)
    ours = indices(made("shards", devices=100).assign(records, 4))
    for devices in (ours, theirs):
        counts = pd.crosstab(devices, records["label"]).to_numpy()
        assert counts.shape == (100, 10) and set(counts.ravel()) <= {0, 10, 20} and (counts.sum(axis=1) == 20).all()
    both = [int((pd.crosstab(devices, records["label"]) == 20).sum().sum()) for devices in (ours, theirs)]
    assert max(both) < 30  # expected 100 x 19/199 = 9.5 of one label


def test_shards_leave_no_record_over() -> None:
    records = table()
    for devices, shards in ((7, 2), (40, 3), (334, 3)):
        sizes = pd.Series(made("shards", devices=devices, shards_per_device=shards).assign(records, 0)).value_counts()
        assert sizes.sum() == 1_003 and len(sizes) == devices and sizes.max() - sizes.min() <= shards


def test_one_shard_each_over_as_many_labels_is_one_label_each() -> None:
    records = pd.DataFrame({"label": list("cabbac" * 5)})
    assigned = made("shards", devices=3, shards_per_device=1).assign(records, 0)
    assert len(set(zip(assigned, records["label"], strict=True))) == 3


# time


def test_time_windows_are_by_rank_and_test_records_by_their_own_time() -> None:
    train = pd.DataFrame({"time": ["2006", "2004", "2005-06", "2005-06", "2009", "2007-01-01T10:00"]})
    test = pd.DataFrame({"time": ["1999", "2005-07", "2006", "2008", "2030"]})
    partition = made("time-windows", windows=3)
    assert list(partition.assign(train, 0)) == ["window-01", "window-00", "window-00", "window-01", "window-02", "window-02"]
    found = partition.strata(train, test, 0)
    assert found is not None and list(found[1]) == [0, 1, 1, 2, 2]
    assert [f"window-{window:02d}" for window in found[0]] == list(partition.assign(train, 0))


def test_records_without_time_are_refused() -> None:
    with pytest.raises(DataError, match="partition time-windows: record 2 has no time"):
        made("time-windows", windows=1).assign(pd.DataFrame({"time": ["2004", None]}), 0)
    with pytest.raises(DataError, match=r"3 windows need 3 records, there are 2; lower partition\.windows"):
        made("time-windows", windows=3).assign(pd.DataFrame({"time": ["2004", "2005"]}), 0)


def _p_value(devices: NDArray[np.object_], strata: pd.Series) -> float:
    return float(chi2_contingency(pd.crosstab(devices, strata.to_numpy()).to_numpy()).pvalue)


def _by_flwr(name: str, fields: dict[str, Any], records: pd.DataFrame) -> NDArray[np.int64]:
    """(R,) the partition of each record by a class of flwr-datasets, on a table in memory."""
    import datasets
    import flwr_datasets.partitioner

    make: Callable[..., Any] = getattr(flwr_datasets.partitioner, name)
    partitioner = make(**fields)
    partitioner.dataset = datasets.Dataset.from_dict({**records.to_dict("list"), "row": list(range(len(records)))})
    found = np.full(len(records), -1, dtype=np.int64)
    for place in range(partitioner.num_partitions):
        found[partitioner.load_partition(place)["row"]] = place
    assert (found >= 0).all()
    return found
