"""WNUT 2017, XQuAD and DialogSum have the counts that their papers give; tables of questions and of targets are checked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.data.columns import Columns, named_records, share_as_test
from tasks.data.dataset import DataError
from tasks.data.datasets.wnut17 import SPLITS, sentences
from tests.conftest import Prepare
from tests.data.tags import is_bio

CONLL = "Empire\tB-location\nState\tI-location\n\t\n\nA\tO\tO\nB\tB-x,O\r\n \n"
PASSAGE = "Ada Lovelace wrote about it in 1843. Ada was born in 1815."


def test_words_stand_in_lines_and_texts_apart() -> None:
    assert list(sentences(CONLL)) == [(["Empire", "State"], ["B-location", "I-location"]), (["A", "B"], ["O", "B-x"])]
    assert list(sentences("\n\t\n")) == []


def test_wnut17_has_its_published_counts(catalogue: Path, prepare: Prepare) -> None:
    """Derczynski et al. 2017, table 2: 3,394, 1,009 and 1,287 texts; 62,730, 15,733 and 23,394 tokens; 1,975, 836 and 1,079 entities of 6 types."""
    prepared = prepare({"kind": "wnut17"}, cache=catalogue)
    assert prepared.facts["counts"] == {"train": 3394, "validation": 1009, "test": 1287}
    for split, tokens, entities in (("train", 62_730, 1975), ("validation", 15_733, 836), ("test", 23_394, 1079)):
        records = prepared.split(split)
        assert sum(map(len, records["tokens"])) == tokens and all(is_bio(tags) for tags in records["slots"])
        assert sum(tag.startswith("B-") for tags in records["slots"] for tag in tags) == entities
        text = (catalogue / "wnut17" / SPLITS[split]).read_text(encoding="utf-8")
        assert [word for words in records["tokens"] for word in words] == [line.split("\t")[0] for line in text.splitlines() if line.strip()]
    assert {tag[2:] for tag in prepared.slots[1:]} == {"person", "location", "corporation", "group", "product", "creative-work"}


def test_xquad_has_its_published_counts_and_no_paragraph_on_both_sides(catalogue: Path, prepare: Prepare) -> None:
    """Artetxe et al. 2020, section 4: 240 paragraphs and 1,190 questions."""
    prepared = prepare({"kind": "xquad"}, cache=catalogue)
    train, test = prepared.split("train"), prepared.split("test")
    both = pd.concat([train, test])
    assert len(both) == 1190 and both["context"].nunique() == 240 and both["user"].nunique() == 48 and not prepared.facts["private"]
    assert not set(train["context"]) & set(test["context"]) and 30 <= test["context"].nunique() <= 66  # 48 expected; outside in 1 of 200 keys
    assert all(context[start:].startswith(answer) for context, answer, start in zip(both["context"], both["answer"], both["answer_start"], strict=True))
    published = json.loads((catalogue / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))
    asked = Counter(one["question"] for article in published["data"] for paragraph in article["paragraphs"] for one in paragraph["qas"])
    assert Counter(both["text"]) == asked


def test_dialogsum_has_its_published_counts(catalogue: Path, prepare: Prepare) -> None:
    """Chen et al. 2021, table 2: 500 dialogues in the development set and 500 in the test set."""
    prepared = prepare({"kind": "dialogsum"}, cache=catalogue)
    assert prepared.facts["counts"] == {"train": 500, "test": 500} and prepared.split("train")["label"].nunique() == 455
    assert all(text.startswith("#Person") for split in ("train", "test") for text in prepared.split(split)["text"])
    assert "not for commercial use" in prepared.facts["source"]["licence"]


def written(folder: Path, records: list[dict[str, Any]]) -> str:
    path = folder / "table.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def asked(**changes: Any) -> dict[str, Any]:
    return {"q": "When?", "c": PASSAGE, "answers": {"text": ["1843", "in 1843"], "answer_start": [31, 28]}} | changes


ASKED = {"text": "q", "context": "c", "answer": "answers.text", "answer_start": "answers.answer_start"}


def test_a_table_of_questions_is_read_as_squad_is_published(tmp_path: Path, prepare: Prepare) -> None:
    table = written(tmp_path, [asked(c=f"{PASSAGE} {number // 3}") for number in range(60)])
    prepared = prepare({"kind": "files", "task": "qa", "train": table, "columns": ASKED})
    train, test = prepared.split("train"), prepared.split("test")
    assert set(train["answer"]) == {"1843"} and set(train["answer_start"]) == {31} and len(train) + len(test) == 60
    assert not set(train["context"]) & set(test["context"])
    one, other = share_as_test(pd.concat([train, test]).rename(columns={"context": "passage"}).assign(text=[str(number) for number in range(60)]), 0.2)
    assert set(one["passage"]) & set(other["passage"])  # so that a deal by question would be seen


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ({"text": ["1843"], "answer_start": [30]}, "the answer of record 2 does not stand in its context at answer_start"),
        ({"text": ["1843"], "answer_start": [-27]}, "the answer of record 2 does not stand in its context at answer_start"),
        ({"text": ["1843"], "answer_start": ["x"]}, "columns.answer_start: table.jsonl, column 'answers.answer_start', record 2 is not a number"),
        ({"text": [], "answer_start": []}, "record 2 has no answer"),
    ],
)
def test_an_answer_must_stand_at_its_place(answers: dict[str, Any], line: str, tmp_path: Path, prepare: Prepare) -> None:
    table = written(tmp_path, [asked(), asked(answers=answers), asked(q="Who?")])
    with pytest.raises(DataError, match=line):
        prepare({"kind": "files", "task": "qa", "train": table, "test": table, "columns": ASKED})


def test_a_table_of_targets(tmp_path: Path, prepare: Prepare) -> None:
    table = written(tmp_path, [{"d": "long", "s": "short"}, {"d": "longer", "s": "shorter"}])
    prepared = prepare({"kind": "files", "task": "seq2seq", "train": table, "test": table, "columns": {"text": "d", "target": "s"}})
    assert prepared.split("train")[["text", "target"]].to_numpy().tolist() == [["long", "short"], ["longer", "shorter"]]
    same = named_records(pd.DataFrame({"d": ["a", "a"], "s": ["b", "c"]}), Columns(text="d", target="s"), "here")
    from tasks.data.pools import content_keys

    assert content_keys(same).nunique() == 2  # the same source with another target is another record
    assert np.array_equal(content_keys(same[["text"]]), ["a", "a"])
