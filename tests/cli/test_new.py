"""`assay new` writes a study that is valid as it stands, on synthetic data or on a table of one's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from specs.loading import load
from tests.cli.running import assay

RECORDS = pd.DataFrame({"utterance": ["turn it on", "turn it off"], "intent": ["on", "off"], "user id": ["a", "b"], "other": [1, 2]})


def tabled(records: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        records.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        records.to_json(path, orient="records", lines=True)
    else:
        records.to_parquet(path)
    return path


def test_without_a_table_it_is_about_synthetic_data(folder: Path) -> None:
    done = assay("new", "first")
    assert (done.code, done.out) == (0, "written: first.yaml\nnext: assay run first.yaml\n")
    found = load(folder / "first.yaml")
    assert found.study.name == "first" and found.study.claims and len(found.study.sweep.seeds) == 5
    assert assay("validate", "first.yaml").code == 0


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_table_gives_its_columns(folder: Path, suffix: str) -> None:
    tabled(RECORDS, folder / f"t{suffix}")
    assert assay("new", "own", "--from", f"t{suffix}").code == 0
    data = load(folder / "own.yaml").raw["data"]
    assert data["columns"] == {"text": "utterance", "label": "intent", "user": "user id"}
    assert (data["train"], data["task"]) == (f"t{suffix}", "intent")
    assert assay("validate", "own.yaml").code == 0


def test_what_was_taken_for_what_is_said(folder: Path) -> None:
    tabled(pd.DataFrame({"message": ["a"], "topic": ["b"]}), folder / "t.csv")
    done = assay("new", "own", "--from", "t.csv")
    assert "columns: text = message, label = topic\n" in done.out and "language model" not in done.out
    tabled(pd.DataFrame({"message": ["a"], "verdict": ["b"]}), folder / "u.csv")
    done = assay("new", "other", "--from", "u.csv")
    assert "no column looks like a label" in done.out and "data.columns" in done.out


@pytest.mark.parametrize(
    ("columns", "task", "model"),
    [
        (["text"], "lm", "gpt2"),
        (["text", "label"], "intent", "bilstm"),
        (["tokens", "tags"], "tagging", "bilstm"),
        (["tokens", "tags", "intent"], "joint", "bilstm"),
        (["Text", "Speaker", "date", "GENDER"], "lm", "gpt2"),
    ],
)
def test_the_columns_decide_the_task(folder: Path, columns: list[str], task: str, model: str) -> None:
    tabled(pd.DataFrame({column: ["a"] for column in columns}), folder / "t.csv")
    assert assay("new", "own", "--from", "t.csv").code == 0
    raw = load(folder / "own.yaml").raw
    assert (raw["data"]["task"], raw["model"]["kind"]) == (task, model)
    assert sorted(raw["data"]["columns"].values()) == sorted(columns)


@pytest.mark.parametrize("column", ["text ", " Text", "text\n", "TEXT"])
def test_an_odd_column_name_is_quoted(folder: Path, column: str) -> None:
    tabled(pd.DataFrame({column: ["a"], "label": ["b"]}), folder / "t.csv")
    assert assay("new", "own", "--from", "t.csv").code == 0
    assert load(folder / "own.yaml").raw["data"]["columns"]["text"] == column


@pytest.mark.parametrize("name", ["it's.csv", "two words.csv", "caf\u00e9 #1: a.csv"])
def test_an_odd_file_name_is_quoted(folder: Path, name: str) -> None:
    (folder / "below").mkdir()
    tabled(RECORDS, folder / "below" / name)
    assert assay("new", "own", "--from", f"below/{name}").code == 0
    assert load(folder / "own.yaml").raw["data"]["train"] == f"below/{name}"


def test_a_table_elsewhere_is_named_in_full(folder: Path) -> None:
    (folder / "specs").mkdir()
    table = tabled(RECORDS, folder / "t.csv")
    assert assay("new", "own", "--from", "t.csv", "--out", "specs/mine.yaml").code == 0
    assert load(folder / "specs" / "mine.yaml").raw["data"]["train"] == str(table)


def test_nothing_is_overwritten(folder: Path) -> None:
    (folder / "first.yaml").write_text("mine")
    done = assay("new", "first")
    assert (done.code, done.error_lines) == (2, ["assay: first.yaml exists; give another name, or --out"])
    assert (folder / "first.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["First", "-a", "a-", "a b", "a/b", "a" * 65, "ü"])
def test_a_name_is_made_of_small_letters(folder: Path, name: str) -> None:
    done = assay("new", "--", name)
    assert done.code == 2 and len(done.error_lines) == 1
    assert "a-z, 0-9 and '-'" in done.err and not list(folder.glob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "a,b\n1,2\n", "no column of a, b looks like text (known names: text, utterance"),
        ("t.csv", "", "no column of an empty table looks like text"),
        ("t.jsonl", '{"a": 1}\n', "no column of a looks like text"),
        ("t.jsonl", "{", "t.jsonl: not a readable .jsonl file"),
        ("t.parquet", "x", "t.parquet: not a readable .parquet file"),
        ("t.tsv", "text\tlabel\n", "t.tsv"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content)
    done = assay("new", "own", "--from", name)
    assert done.code == 2 and not done.out
    (line,) = done.error_lines
    assert line.startswith("assay: ") and message in line
    assert not (folder / "own.yaml").exists()


def test_a_missing_table_or_folder_is_one_line() -> None:
    assert assay("new", "own", "--from", "none.csv").error_lines == ["assay: no such file: none.csv"]
    done = assay("new", "own", "--out", "none/own.yaml")
    assert (done.code, done.error_lines) == (2, ["assay: none/own.yaml cannot be written: No such file or directory"])
