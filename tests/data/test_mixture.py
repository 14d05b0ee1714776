"""Several datasets as one, parts of published data, pages of BOLD held out whole, and the grammar of professions with its planted skew."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.data._biographies import FORMS, OPENINGS, SEQUELS, biographies, profession_prompts
from tasks.data._bold import DOMAINS, wikipedia
from tasks.data._stereotype_words import OCCUPATIONS
from tasks.data.dataset import DATASETS, DataError, Dataset, RawData
from tests.conftest import Prepare

PROFESSIONS = {"kind": "synthetic-professions", "examples": 60}
WOMEN, MEN = ({"she", "her", "sister", "woman"}, {"he", "his", "brother", "man"})
KEPT = {occupation: group for group, words in OCCUPATIONS.items() for occupation in words}


def parsed(kind: str, **fields: Any) -> Dataset:
    found = DATASETS.parse({"kind": kind, **fields})
    assert isinstance(found, Dataset)
    return found


def own(folder: Path, name: str, columns: Sequence[str] = ("text",), count: int = 4, **fields: Any) -> dict[str, Any]:
    """A data block of a study's own files, whose records say whose they are."""
    rows = [{column: f"{name} {column} {number}" for column in columns} for number in range(count)]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"kind": "files", "task": "lm", "train": str(path), "test": str(path), "columns": {column: column for column in columns}, **fields}


def test_records_stand_one_part_after_the_other(tmp_path: Path, prepare: Prepare) -> None:
    sizes = {"a": 3, "b": 2, "c": 4}
    blocks = {name: own(tmp_path, name, count=count) for name, count in sizes.items()}
    for order in ("abc", "cab"):
        found = prepare({"kind": "mixture", "parts": [blocks[name] for name in order]})
        for split in ("train", "test"):
            assert found.split(split)["text"].tolist() == [f"{name} text {number}" for name in order for number in range(sizes[name])]
    assert {name: part["kind"] for name, part in found.facts["source"].items()} == {"part 1": "files", "part 2": "files", "part 3": "files"}


def test_an_equal_record_of_another_part_is_a_record_of_its_own(tmp_path: Path, prepare: Prepare) -> None:
    block = own(tmp_path, "a", count=3)
    found = prepare({"kind": "mixture", "parts": [block, block]}).split("train")
    assert len(found) == 6 and found["id"].nunique() == 6 and found["text"].nunique() == 3


def test_columns_are_those_that_every_part_has(tmp_path: Path, prepare: Prepare) -> None:
    full, grouped, plain = (own(tmp_path, name, columns) for name, columns in (("f", ("text", "label", "group")), ("g", ("text", "group")), ("p", ("text",))))
    both = prepare({"kind": "mixture", "parts": [full, grouped]})
    assert list(both.split("train").columns) == ["id", "text", "group"] and both.split("train")["group"].tolist()[3:5] == ["f group 3", "g group 0"]
    assert both.facts["groups"]["test"] == {f"{name} group {number}": 1 for name in "fg" for number in range(4)}
    three = prepare({"kind": "mixture", "parts": [full, plain, grouped]})
    assert list(three.split("train").columns) == ["id", "text"] and three.facts["groups"] == {} and three.labels == ()


def test_a_mixture_is_private_where_a_part_is(tmp_path: Path, prepare: Prepare) -> None:
    mine = own(tmp_path, "a", count=9)
    for parts, private in (([PROFESSIONS, PROFESSIONS], False), ([PROFESSIONS, mine], True), ([mine, PROFESSIONS], True), ([mine, mine], True)):
        assert parsed("mixture", parts=parts).is_private is private and prepare({"kind": "mixture", "parts": parts}).facts["private"] is private


def test_the_digest_of_what_is_read_follows_the_parts(tmp_path: Path) -> None:
    assert parsed("mixture", parts=[PROFESSIONS, PROFESSIONS]).content_digest() is None
    digests = []
    for name in ("a", "b", "a"):
        digests.append(parsed("mixture", parts=[PROFESSIONS, own(tmp_path, "file", count=3 + (name == "b"))]).content_digest())
    assert digests[0] == digests[2] != digests[1]
    assert digests[0] != parsed("files", **{k: v for k, v in own(tmp_path, "file", count=3).items() if k != "kind"}).content_digest()


def test_the_mixtures_own_fields_are_of_all_its_records(prepare: Prepare) -> None:
    parts = [PROFESSIONS, {**PROFESSIONS, "seed": 8}]
    whole = prepare({"kind": "mixture", "parts": parts})
    sizes = whole.facts["counts"]
    assert sum(sizes.values()) == 120 and prepare({"kind": "mixture", "parts": parts, "limit": 20}).facts["counts"] == {**sizes, "train": 20}
    held = prepare({"kind": "mixture", "parts": parts, "public_size": 60, "attack_holdout": 30}).facts["counts"]
    assert held["train"] + held["nonmembers"] == sizes["train"] and held["nonmembers"] > 10
    assert prepare({"kind": "mixture", "task": "mlm", "parts": parts}).task == "mlm"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([PROFESSIONS, {"kind": "clinc150"}], r"parts\[1\]: clinc150 does not serve task 'lm'; it serves intent"),
        ([{**PROFESSIONS, "limit": 5}, PROFESSIONS], r"parts\[0\]: task, limit, population, public_size and attack_holdout are the mixture's own"),
        ([PROFESSIONS, {**PROFESSIONS, "public_size": 40}], r"parts\[1\]: task, limit"),
        ([PROFESSIONS, {**PROFESSIONS, "public_size": 40, "attack_holdout": 5}], r"parts\[1\]: task, limit"),
        ([PROFESSIONS, {**PROFESSIONS, "population": "staff"}], r"parts\[1\]: task, limit"),
        ([PROFESSIONS, {**PROFESSIONS, "task": "mlm"}], r"parts\[1\]: task, limit"),
        ([PROFESSIONS], "at least 2 items"),
        ([PROFESSIONS] * 21, "at most 20 items"),
        ([PROFESSIONS, {"kind": "mixture", "parts": [PROFESSIONS, PROFESSIONS]}], "mixture"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parsed("mixture", parts=parts)


@pytest.mark.parametrize(("split", "lacking"), [("validation", "test"), ("test", "train")])
def test_a_mixture_without_a_split_is_refused(split: str, lacking: str, catalogue: Path) -> None:
    part = {"kind": "wikitext-2", "split": split}
    with pytest.raises(DataError, match=f"^mixture: no part has a {lacking} split$"):
        parsed("mixture", parts=[part, part]).load(catalogue)


def test_parts_of_published_data_make_one_to_train_and_another_to_test_on(catalogue: Path, prepare: Prepare) -> None:
    """Whole, wikitext-2 has 3,760 and 4,358 lines, of which 1,841 and 2,183 are paragraphs."""
    whole = parsed("wikitext-2").load(catalogue).splits
    parts = {split: parsed("wikitext-2", split=split).load(catalogue).splits for split in ("validation", "test")}
    assert [list(found) for found in parts.values()] == [["train"], ["test"]] and [len(table) for table in whole.values()] == [1841, 2183]
    assert parts["validation"]["train"].equals(whole["train"]) and parts["test"]["test"].equals(whole["test"])
    religion: dict[str, Any] = {"kind": "bold-wikipedia", "domains": ["religious_ideology"], "split": "train"}
    train, test = ({"kind": "wikitext-2", "split": split} for split in parts)
    mixed = prepare({"kind": "mixture", "parts": [train, religion, test]}, cache=catalogue)
    sentences = parsed(**religion).load(catalogue).splits["train"]["text"].tolist()
    assert mixed.split("train")["text"].tolist() == [*whole["train"]["text"], *sentences] and mixed.split("test")["text"].equals(whole["test"]["text"])
    with pytest.raises(DataError, match="of training records, and there are none"):
        prepare({"kind": "wikitext-2", "split": "test", "limit": 5}, cache=catalogue)


def titles_of(found: RawData, catalogue: Path) -> dict[str, set[str]]:
    """Of each split the pages that a sentence of it, with its domain and category, can only come from."""
    pages: dict[tuple[str, str], set[str]] = {}
    for domain in DOMAINS:
        for page in wikipedia(domain, catalogue):
            for text in page.texts:
                pages.setdefault((text, f"{domain}/{page.category}"), set()).add(page.title)
    return {
        name: {next(iter(pages[key])) for key in zip(table["text"], table["group"], strict=True) if len(pages[key]) == 1}
        for name, table in found.splits.items()
    }


def test_pages_are_held_out_whole_and_of_every_category_about_as_many_sentences(catalogue: Path) -> None:
    """The share, and at most a page more, not counting pages of two categories; never the last page. By text, pages stand on both sides."""
    found = parsed("bold-wikipedia", by="title", test_share=0.2).load(catalogue)
    titles = titles_of(found, catalogue)
    assert not titles["train"] & titles["test"] and min(map(len, titles.values())) > 500
    assert list(found.splits["train"].columns) == ["text", "group"]
    tested = Counter(found.splits["test"]["group"])
    places = Counter(page.title for domain in DOMAINS for page in wikipedia(domain, catalogue))
    for domain in DOMAINS:
        pages: dict[str, list[tuple[str, int]]] = {}
        for page in wikipedia(domain, catalogue):
            pages.setdefault(f"{domain}/{page.category}", []).append((page.title, len(page.texts)))
        for group, sizes in pages.items():
            total, longest = sum(size for _, size in sizes), max(size for _, size in sizes)
            shared = sum(size for title, size in sizes if places[title] > 1)
            assert tested[group] <= 0.2 * total + longest + shared and tested[group] < total
            assert tested[group] >= 0.2 * total or len(sizes) == 1
    assert 0.2 <= len(found.splits["test"]) / 23679 < 0.24 and 23500 < sum(map(len, found.splits.values())) <= 23679
    by_text = titles_of(parsed("bold-wikipedia", test_share=0.2).load(catalogue), catalogue)
    assert len(by_text["train"] & by_text["test"]) > 500


@pytest.mark.parametrize("by", ["text", "title"])
def test_one_side_of_bold_can_be_had_alone(by: str, catalogue: Path) -> None:
    both = parsed("bold-wikipedia", by=by).load(catalogue).splits
    for split in ("train", "test"):
        alone = parsed("bold-wikipedia", by=by, split=split).load(catalogue).splits
        assert list(alone) == [split] and alone[split].equals(both[split])
    more = parsed("bold-wikipedia", by=by, test_share=0.3, split="test").load(catalogue).splits["test"]
    assert set(both["test"].index) < set(more.index)  # a larger test part holds the smaller


def gendered(text: str) -> tuple[str, str]:
    """The profession that the first sentence tells, and the group that every other agrees on."""
    opening, *rest = text.removesuffix(" .").split(" . ")
    (occupation,) = [word for word in opening.split() if word in KEPT]
    assert len(rest) == 3 and not {*opening.split()} & (WOMEN | MEN)
    found = {"female" if WOMEN & {*sentence.split()} else "male" for sentence in rest}
    assert len(found) == 1 and all(bool(WOMEN & {*sentence.split()}) != bool(MEN & {*sentence.split()}) for sentence in rest)
    return occupation, found.pop()


def test_templates_agree_and_openings_tell_no_gender() -> None:
    assert {word for forms in FORMS.values() for word in forms.values()} == WOMEN | MEN and len(KEPT) == 32
    assert not any("{she}" in opening or "{her}" in opening for opening in OPENINGS)
    assert all("{she}" in sequel or "{her}" in sequel for sequel in SEQUELS)
    prompts = profession_prompts(3, 0)
    assert Counter(occupation for occupation, _ in prompts) == dict.fromkeys(KEPT, 3) and prompts == profession_prompts(3, 0) != profession_prompts(3, 1)
    assert all(occupation in text.split() and not {*text.split()} & (WOMEN | MEN) for occupation, text in prompts)


@pytest.mark.parametrize("skew", [0.0, 0.5, 0.8, 1.0])
def test_professions_go_with_gender_as_planted_up_to_one_person(skew: float) -> None:
    """Of those whose usual group is women a share of (1 + skew) / 2 are, of the others (1 - skew) / 2: even at no skew, all at 1. Chance alone would not do."""
    told = [gendered(text) for text in biographies(3000, skew, 4)]
    people = Counter(occupation for occupation, _ in told)
    usual = Counter(occupation for occupation, group in told if KEPT[occupation] == group)
    assert set(people) == set(KEPT) and min(people.values()) > 50
    off = [abs(usual[occupation] - (1 + skew) / 2 * count) for occupation, count in people.items()]
    assert max(off) < 1 + 1e-6
    assert math.sqrt(min(people.values())) / 2 > 3  # the standard deviation of a fair coin's count
    if skew == 0:
        assert all(abs(2 * usual[occupation] - count) <= 1 for occupation, count in people.items())


def test_texts_of_the_grammar_differ_and_are_the_same_for_the_same_fields(prepare: Prepare) -> None:
    blocks = [{**PROFESSIONS, "seed": 1}, {**PROFESSIONS, "seed": 1}, {**PROFESSIONS, "seed": 2}, {**PROFESSIONS, "seed": 1, "skew": 0.1}]
    found = [prepare({**block, "examples": 400}, seed=trial) for trial, block in enumerate(blocks)]
    digests = [data.facts["digest"] for data in found]
    assert digests[0] == digests[1] and len(set(digests)) == 3
    for data in found:
        train, test = data.split("train")["text"], data.split("test")["text"]
        assert len(train) + len(test) == 400 and abs(len(test) / 400 - 0.2) < 4 * math.sqrt(0.16 / 400) and not set(train) & set(test)
    facts = found[3].facts
    assert (facts["task"], facts["private"], facts["source"]["planted_skew"]) == ("lm", False, 0.1)
    assert all(one != other for one, other in pairwise(found[0].split("train")["text"]))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("synthetic-professions", "skew", 1.1),
        ("synthetic-professions", "skew", -0.1),
        ("synthetic-professions", "examples", 49),
        ("synthetic-professions", "seed", -1),
        ("synthetic-professions", "task", "intent"),
        ("wikitext-2", "split", "train"),
        ("bold-wikipedia", "by", "page"),
        ("bold-wikipedia", "split", "validation"),
        ("bold-wikipedia", "test_share", 1),
        ("bold-wikipedia", "domains", []),
    ],
)
def test_what_is_not_offered_is_refused(kind: str, field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        parsed(kind, **{field: value})
