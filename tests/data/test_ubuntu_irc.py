"""The Ubuntu IRC logs: how lines are read, and the counts that the corpus is known by."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.data.catalogue import Source
from tasks.data.dataset import DataError
from tasks.data.datasets import ubuntu_irc
from tasks.data.datasets._ubuntu_irc import SOURCES, messages
from tasks.data.datasets.ubuntu_irc import UbuntuIrc
from tests.conftest import Prepare

LOG = """[09:21] <ann> Hey all. How do I mount it?
=== bob [n=bob@example.org]  has left #ubuntu
[09:21] <ubottu> To mount, read the wiki
[09:21] <ann> Hey all. How do I mount it?
[09:22]  * bob waves
[09:22] <[bob]> use <mount> > /dev/null
[09:22] <ann> Hey all. How do I mount it?
[09:23] -bob:#ubuntu- no message
 [09:23] <ann> indented is none
[09:24] <cat>  """


@pytest.fixture(scope="module")
def logs(catalogue: Path) -> pd.DataFrame:
    return messages({source.name: (catalogue / "ubuntu-irc" / source.name).read_bytes().decode() for source in SOURCES})


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two small logs in place of the published ones."""
    (tmp_path / "ubuntu-irc").mkdir()
    sources = []
    for day in ("2005-01-02", "2004-01-02"):
        content = LOG.replace("mount it", f"mount it in {day[:4]}").encode()
        (tmp_path / "ubuntu-irc" / f"{day}.raw.txt").write_bytes(content)
        sources.append(Source(f"{day}.raw.txt", "https://example.org", hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(ubuntu_irc, "SOURCES", tuple(sources))
    return tmp_path


def test_only_what_a_nick_wrote_is_a_message_and_a_repeat_within_the_minute_is_none() -> None:
    found = messages({"2005-01-02.raw.txt": LOG})
    assert found.to_numpy().tolist() == [
        ["Hey all. How do I mount it?", "ann", "2005-01-02T09:21"],
        ["To mount, read the wiki", "ubottu", "2005-01-02T09:21"],
        ["use <mount> > /dev/null", "[bob]", "2005-01-02T09:22"],
        ["Hey all. How do I mount it?", "ann", "2005-01-02T09:22"],
        [" ", "cat", "2005-01-02T09:24"],
    ]
    assert list(found.columns) == ["text", "user", "time"]


def test_carriage_returns_and_other_breaks_do_not_end_a_message() -> None:
    found = messages({"2005-01-02.raw.txt": "[09:21] <ann> a\rb\x0cc\x85d\n[09:22] <ann> e"})
    assert list(found["text"]) == ["a\rb\x0cc\x85d", "e"]


def test_records_are_of_people_in_the_order_of_days(small: Path) -> None:
    raw = UbuntuIrc(kind="ubuntu-irc", test_share=0.3, drop=("ubottu",)).load(small)
    found = pd.concat(raw.splits.values()).sort_index()
    assert list(found["user"]) == ["ann", "[bob]", "ann"] * 2  # the bot and the message of white space are left out
    assert list(found["time"].str[:4]) == ["2004"] * 3 + ["2005"] * 3
    assert all(list(split.columns) == ["text", "user", "time"] for split in raw.splits.values())


def test_a_nick_to_drop_that_nobody_has_is_named(small: Path) -> None:
    with pytest.raises(DataError, match="drop names 'ubotu'"):
        UbuntuIrc(kind="ubuntu-irc").load(small)


def test_173_files_are_pinned_to_one_commit() -> None:
    assert len({source.name for source in SOURCES}) == len({source.url for source in SOURCES}) == len({source.sha256 for source in SOURCES}) == 173
    shape = re.compile(r"https://raw\.githubusercontent\.com/jkkummerfeld/irc-disentanglement/[0-9a-f]{40}/data/(dev|test|train)/(.*)")
    for source in SOURCES:
        found = shape.fullmatch(source.url)
        assert found is not None and found[2] == source.name and re.fullmatch(r"\d{4}-\d\d-\d\d.*\.raw\.txt", source.name)
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert len({source.url.split("/")[5] for source in SOURCES}) == 1


def test_the_whole_corpus_has_its_known_counts(logs: pd.DataFrame, catalogue: Path) -> None:
    lines = sum(len(re.findall(r"(?m)^\[\d\d:\d\d\] <[^>]+> ", (catalogue / "ubuntu-irc" / source.name).read_bytes().decode())) for source in SOURCES)
    assert (lines, len(logs), lines - len(logs)) == (221_597, 221_056, 541)
    count = logs["user"].value_counts()
    assert (len(count), count["ubottu"], count["ubotu"], count["ActionParsnip"]) == (17_777, 2_808, 1_588, 2_073)
    assert (count["FloodBot1"], count["shazbotmcnasty"], count["mikebot"]) == (157, 90, 59)
    assert ((count == 1).sum(), (count >= 10).sum(), (count >= 50).sum(), count.median()) == (3_938, 4_968, 716, 4)
    assert [round(count.iloc[: len(count) // part].sum() / len(logs), 2) for part in (100, 10)] == [0.24, 0.58]


def test_the_corpus_spans_its_known_days(logs: pd.DataFrame) -> None:
    day, year = logs["time"].str[:10], logs["time"].str[:4]
    assert (day.nunique(), year.min(), year.max()) == (173, "2004", "2018")
    assert (day.groupby(logs["user"]).nunique() >= 2).sum() == 2_113
    assert (year.groupby(logs["user"]).nunique() >= 2).sum() == 1_426
    people = logs["user"].groupby(year).nunique()
    assert (people.min(), people.max()) == (148, 2_738)
    assert logs["time"].str.fullmatch(r"\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d").all()
    assert day.is_monotonic_increasing


def test_without_bots_the_corpus_has_its_known_counts(logs: pd.DataFrame) -> None:
    people = logs[~logs["user"].isin(["ubottu", "ubotu"])]
    count = np.sort(people["user"].value_counts().to_numpy())
    assert (len(people), len(count), count[-1]) == (216_660, 17_775, 2_073)
    assert round(count[-(len(count) // 10) :].sum() / len(people), 2) == 0.57
    assert (people["text"].str.strip() == "").sum() == 5


def test_prepared_messages_have_users_and_times_and_no_text_on_both_sides(catalogue: Path, prepare: Prepare) -> None:
    prepared = prepare({"kind": "ubuntu-irc"}, cache=catalogue)
    train, test = prepared.split("train"), prepared.split("test")
    assert prepared.task == "lm" and prepared.facts["private"] is True
    assert prepared.facts["counts"] == {"train": 193_951, "test": 22_704}  # 216,655: without bots and white space
    assert prepared.facts["users"] == {"train": 17_360, "test": 7_795}
    assert list(train.columns) == list(test.columns) == ["id", "text", "user", "time"]
    assert not set(train["text"].str.casefold()) & set(test["text"].str.casefold())
    texts = [split["text"].str.casefold().nunique() for split in (train, test)]
    assert abs(texts[1] - 0.1 * sum(texts)) < 4 * (0.09 * sum(texts)) ** 0.5  # a coin per text; false alarm 6e-5, and the coins are fixed
