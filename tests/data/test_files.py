"""A study's own files: the same records come out of every format, and whatever is wrong is named in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.data.columns import share_as_test
from tasks.data.dataset import DataError
from tasks.data.datasets.files import Files
from tests.conftest import Prepare

COLUMNS = {"text": "utterance", "label": "intent", "tokens": "words", "slots": "tags", "user": "uid", "time": "when", "group": "side"}


def rows(count: int) -> list[dict[str, Any]]:
    """Records as plain values, under the words of the project."""
    made = []
    for index in range(count):
        tokens = ["play", f"söng-{index}", 'by, "x"']
        base = {"text": " ".join(tokens), "label": f"0{index % 3}", "tokens": tokens, "slots": ["O", "B-song", "O"]}
        made.append({**base, "user": f"u{index % 5}", "time": f"2025-01-0{1 + index % 9}", "group": "ab"[index % 2]})
    return made


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    """The records as a table with names of its own, by writers that the project does not use."""
    renamed = [{COLUMNS[word]: value for word, value in record.items()} for record in records]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(renamed), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in renamed), encoding="utf-8")
    else:
        flat = [{name: " ".join(value).replace(', "x"', "") if isinstance(value, list) else value for name, value in record.items()} for record in renamed]
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(flat[0]))
            writer.writeheader()
            writer.writerows(flat)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_records(suffix: str, tmp_path: Path, prepare: Prepare) -> None:
    train, test = rows(12), rows(4)
    paths = {"train": write(tmp_path / f"train{suffix}", train), "test": write(tmp_path / f"test{suffix}", test)}
    prepared = prepare({"kind": "files", "task": "joint", "columns": COLUMNS, **paths})
    for split, expected in (("train", train), ("test", test)):
        found = prepared.split(split)
        assert found["id"].is_unique
        for word in ("text", "label", "user", "time", "group", "slots"):
            assert [list(value) if word == "slots" else value for value in found[word]] == [record[word] for record in expected]
        cut = ["play", "by"] if suffix == ".csv" else ["play", 'by, "x"']
        assert [[words[0], words[2]] for words in found["tokens"]] == [cut] * len(expected)
    assert prepared.labels == ("00", "01", "02") and prepared.slots == ("O", "B-song")
    assert prepared.facts["groups"]["train"] == {"a": 6, "b": 6} and prepared.facts["users"]["train"] == 5


def test_tokens_alone_make_the_text(tmp_path: Path, prepare: Prepare) -> None:
    path = write(tmp_path / "a.jsonl", rows(30))
    prepared = prepare({"kind": "files", "task": "tagging", "columns": {"tokens": "words", "slots": "tags"}, "train": path})
    texts = {record["text"] for record in rows(30)}
    assert set(prepared.split("train")["text"]) | set(prepared.split("test")["text"]) == texts


def test_a_share_is_a_coin_per_content(tmp_path: Path) -> None:
    """The share is right at a false-alarm rate of 1e-6, the order of the file does not matter, and equal records stand together."""
    data = Files.model_validate({"kind": "files", "columns": COLUMNS, "train": write(tmp_path / "a.jsonl", rows(3000))})
    train, test = data.load(tmp_path).splits["train"], data.load(tmp_path).splits["test"]
    assert len(train) + len(test) == 3000 and not set(train["text"]) & set(test["text"])
    assert stats.binomtest(len(test), 3000, 0.2).pvalue > 1e-6
    assert stats.binomtest(len(test), 3000, 0.3).pvalue < 1e-6  # a wrong share would be seen
    other = Files.model_validate({"kind": "files", "columns": COLUMNS, "train": write(tmp_path / "b.jsonl", list(reversed(rows(3000))))})
    assert set(other.load(tmp_path).splits["test"]["text"]) == set(test["text"])


def test_equal_records_are_not_split_between_train_and_test(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    records = pd.DataFrame(rows(200) * 3)
    train, test = share_as_test(records, 0.3)
    assert not set(train["text"]) & set(test["text"])
    by_row = np.random.default_rng(0).random(len(records)) < 0.3
    assert set(records[by_row]["text"]) & set(records[~by_row]["text"])  # what a coin per row would do


WHOLE = "utterance,intent\n" + "".join(f"say {index},x\n" for index in range(40))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.csv", WHOLE.replace("say 6,x", "say 6"), "record 7 has no label"),
        ("b.csv", WHOLE.replace("say 6,x", ",x"), "record 7 has no text"),
        ("c.csv", WHOLE.replace("say 6,x", "say 6,x,y"), r"c\.csv: .*line 8"),
        ("d.csv", WHOLE.replace("say 6,x", '"say 6,x'), r"d\.csv: "),
        ("e.csv", "utterance,intent\n", "no records"),
        ("f.jsonl", '{"utterance": "a", "intent": "b"}\n{"utterance": \n', r"f\.jsonl: line 2 is not JSON"),
        ("g.jsonl", '{"utterance": "a", "intent": "b"}\n[1]\n', r"g\.jsonl: line 2 is not an object"),
        ("h.jsonl", '{"utterance": "a", "intent": "b"}\n{"utterance": null, "intent": "b"}\n' * 20, "record 2 has no text"),
    ],
)
def test_a_broken_record_is_named(name: str, text: str, line: str, tmp_path: Path, prepare: Prepare) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "test.csv").write_text(WHOLE)
    columns = {"text": "utterance", "label": "intent"}
    with pytest.raises(DataError, match=line) as caught:
        prepare({"kind": "files", "task": "intent", "columns": columns, "train": tmp_path / name, "test": tmp_path / "test.csv"})
    assert "\n" not in str(caught.value)


def test_the_place_is_that_in_the_file_also_where_a_share_is_taken(tmp_path: Path, prepare: Prepare) -> None:
    (tmp_path / "a.csv").write_text(WHOLE.replace("say 33,x", "say 33"))
    with pytest.raises(DataError, match="record 34 has no label"):
        prepare({"kind": "files", "task": "intent", "columns": {"text": "utterance", "label": "intent"}, "train": tmp_path / "a.csv"})


@pytest.mark.parametrize(("words", "tags"), [("a b", "O"), ("a", ""), ("", "O")])
def test_words_and_tags_must_match(words: str, tags: str, tmp_path: Path, prepare: Prepare) -> None:
    (tmp_path / "a.csv").write_text("w,t\n" + "x y,O O\n" * 4 + f"{words},{tags}\n" + "z,O\n" * 20)
    with pytest.raises(DataError, match=r"record 5 has (unequal|no) "):
        prepare({"kind": "files", "task": "tagging", "columns": {"tokens": "w", "slots": "t"}, "train": tmp_path / "a.csv", "test": tmp_path / "a.csv"})


def test_a_column_that_the_task_does_not_need_may_have_gaps(tmp_path: Path, prepare: Prepare) -> None:
    (tmp_path / "a.csv").write_text("w,t,l,u\nx y,O O,one,\nz,O,,me\nv,O,,\n")
    values = {"kind": "files", "columns": {"tokens": "w", "slots": "t", "label": "l", "user": "u"}, "train": tmp_path / "a.csv", "test": tmp_path / "a.csv"}
    prepared = prepare({**values, "task": "tagging"})
    assert prepared.labels == () and prepared.facts["counts"]["train"] == 3 and prepared.facts["users"]["train"] == 1


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_wrong_column_is_refused_when_the_block_is_read(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, rows(3))
    with pytest.raises(ValidationError, match=r"columns\.label: .*has no column 'intnt'; did you mean 'intent'"):
        Files.model_validate({"kind": "files", "train": path, "columns": {"text": "utterance", "label": "intnt"}})
    Files.model_validate({"kind": "files", "train": path, "columns": {"text": "utterance", "label": "intent"}})


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"train": "absent.csv"}, "no such file"),
        ({"test": 1.5}, "between 0 and 1"),
        ({"train": "a.txt"}, "must end in"),
        ({"train": "bad.parquet"}, "not a readable"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(fields: dict[str, Any], line: str, tmp_path: Path) -> None:
    for name in ("a.txt", "bad.parquet"):
        (tmp_path / name).write_text("x")
    values = {"kind": "files", "train": str(write(tmp_path / "a.csv", rows(3))), "columns": {"text": "utterance"}, **fields}
    with pytest.raises(ValidationError, match=line):
        Files.model_validate(values, context={"folder": str(tmp_path)})


@pytest.mark.parametrize("word", ["text", "label", "tokens", "slots", "user", "time", "group", "case", "order", "none"])
def test_every_change_of_content_changes_the_digests(word: str, tmp_path: Path, prepare: Prepare) -> None:
    """``none`` changes nothing, and must not."""
    before = rows(6)
    after: list[dict[str, Any]] = rows(6)
    if word == "order":
        after.reverse()
    elif word in ("tokens", "slots"):
        after[2][word] = ["other", *after[2][word][1:]]
    elif word != "none":
        after[2]["text" if word == "case" else word] = before[2]["text"].upper() if word == "case" else "other"
    digests = []
    for index, records in enumerate((before, after)):
        path = write(tmp_path / f"{index}.jsonl", records)
        values = {"kind": "files", "task": "joint", "columns": COLUMNS, "train": path, "test": path}
        facts = prepare(values).facts
        digests.append((Files.model_validate(values).content_digest(), facts["digest"], facts["split_digests"]["test"]))
    for first, second in zip(*digests, strict=True):
        assert (first == second) == (word == "none")
