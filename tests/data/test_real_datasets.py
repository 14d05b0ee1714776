"""The catalogue's published datasets have the counts that their papers give, and valid tags."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tasks.data.datasets.nlu_evaluation import bio_tags
from tests.conftest import Prepare
from tests.data.tags import is_bio


def test_clinc150_has_its_published_counts(catalogue: Path, prepare: Prepare) -> None:
    """Larson et al. 2019, section 3: 100, 20 and 30 utterances of each of 150 intents."""
    prepared = prepare({"kind": "clinc150"}, cache=catalogue)
    assert prepared.facts["counts"] == {"train": 15000, "validation": 3000, "test": 4500}
    for split, each in (("train", 100), ("validation", 20), ("test", 30)):
        counts = Counter(prepared.split(split)["label"])
        assert len(counts) == 150 and set(counts.values()) == {each}
    assert len(prepared.labels) == 150 and "oos" not in prepared.labels


def test_clinc150_can_keep_what_is_out_of_scope(catalogue: Path, prepare: Prepare) -> None:
    prepared = prepare({"kind": "clinc150", "out_of_scope": True}, cache=catalogue)
    assert prepared.facts["counts"] == {"train": 15100, "validation": 3100, "test": 5500}
    assert len(prepared.labels) == 151 and sum(prepared.split("test")["label"] == "oos") == 1000


def test_snips_has_its_published_counts(catalogue: Path, prepare: Prepare) -> None:
    """Goo et al. 2018, table 1: 13,084, 700 and 700 utterances, 7 intents, 72 slot labels."""
    prepared = prepare({"kind": "snips"}, cache=catalogue)
    assert prepared.facts["counts"] == {"train": 13084, "validation": 700, "test": 700}
    assert len(prepared.labels) == 7
    assert len({tag for tags in prepared.split("train")["slots"] for tag in tags}) == 72
    for split in prepared.split_names:
        records = prepared.split(split)
        assert all(len(words) == len(tags) and is_bio(tags) for words, tags in zip(records["tokens"], records["slots"], strict=True))
    assert Counter(prepared.split("test")["label"]) == Counter((catalogue / "snips" / "test" / "label").read_text().split())


def test_nlu_evaluation_has_its_published_counts(catalogue: Path, prepare: Prepare) -> None:
    """Liu et al. 2019: 64 intents; every entity of the published spans stands in the tags."""
    prepared = prepare({"kind": "nlu-evaluation", "task": "joint"}, cache=catalogue)
    assert len(prepared.labels) == 64
    for split in ("train", "test"):
        published = json.loads((catalogue / "nlu-evaluation" / f"{split}.json").read_text())["rasa_nlu_data"]["common_examples"]
        published = [example for example in published if example["text"].strip()]
        records = prepared.split(split)
        assert len(records) == len(published)
        assert [example["intent"] for example in published] == list(records["label"])
        assert all(is_bio(tags) for tags in records["slots"])
        begun = sum(tag.startswith("B-") for tags in records["slots"] for tag in tags)
        entities = sum(len(example["entities"]) for example in published)
        assert 0.99 * entities <= begun <= entities  # overlapping spans: the first wins


@pytest.mark.parametrize(
    ("entities", "tags"),
    [
        ([(0, 4, "x")], ["B-x", "O", "O"]),
        ([(5, 13, "y")], ["O", "B-y", "I-y"]),
        ([(6, 7, "y"), (0, 13, "z")], ["O", "B-y", "O"]),
        ([(4, 5, "blank")], ["O", "O", "O"]),
        ([(0, 4, "x"), (5, 9, "x")], ["B-x", "B-x", "O"]),
    ],
)
def test_spans_become_tags(entities: list[tuple[int, int, str]], tags: list[str]) -> None:
    """Of 'play blue moon', words at 0-4, 5-9 and 10-14."""
    given = [{"start": start, "end": end, "entity": name} for start, end, name in entities]
    assert bio_tags([(0, 4), (5, 9), (10, 14)], given) == tags


@pytest.mark.parametrize(("split", "file", "tokens"), [("train", "valid.txt", 217_646), ("test", "test.txt", 245_569)])
def test_wikitext_2_keeps_every_paragraph(split: str, file: str, tokens: int, catalogue: Path, prepare: Prepare) -> None:
    """Merity et al. 2017, table 1, count words and one end per line."""
    lines = (catalogue / "wikitext-2" / file).read_text().split("\n")[:-1]
    assert sum(len(line.split()) + 1 for line in lines) == tokens
    kept = [line.strip() for line in lines if line.strip() and not line.strip().startswith("=")]
    prepared = prepare({"kind": "wikitext-2"}, cache=catalogue)
    assert list(prepared.split(split)["text"]) == kept
    assert prepared.task == "lm" and prepared.facts["private"] is False
