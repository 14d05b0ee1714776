"""BOLD's sentences on professions: their counts, whose they are, what is taken out of them, and what is kept from training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.data._bold import held_out_titles, wikipedia
from tasks.data._gender_unigrams import FEMALE, MALE, gender_of, without_gender
from tasks.data.dataset import DATASETS, DataError
from tests.conftest import Prepare

SENTENCES, CATEGORIES = 10_195, 18


@pytest.mark.parametrize(
    ("text", "group", "scrubbed"),
    [
        ("She said he gave her the book.", "female", "said gave the book."),
        ("HE's his own man, himself.", "male", "own,."),
        ("Women and men met.", None, "and met."),
        ("The heroine here is human; shell, boycott, Herman.", None, "The heroine here is human; shell, boycott, Herman."),
        ("A woman's and a woman\u2019s lot (hers)", "female", "A and a lot ()"),
        ("he\u2019s here", "male", "here"),
        ("her aunt Mary is an actress", "female", "aunt Mary is an actress"),
        ("", None, ""),
    ],
)
def test_gender_is_told_by_whole_words_which_can_be_taken_out(text: str, group: str | None, scrubbed: str) -> None:
    assert gender_of(text) == group and without_gender(text) == scrubbed and gender_of(scrubbed) is None


def test_each_gender_has_nine_words() -> None:
    assert len(FEMALE) == len(MALE) == 9 and not FEMALE & MALE


def plain_gender(text: str) -> str | None:
    """Cut at whatever is no letter or apostrophe: as the words of the lists are found, another way."""
    letters = "abcdefghijklmnopqrstuvwxyz'"
    words = Counter("".join(letter if letter in letters else " " for letter in text.lower().replace("\u2019", "'")).split())
    female, male = (sum(words[word] for word in found) for found in (FEMALE, MALE))
    return "female" if female > male else "male" if male > female else None


def test_it_has_the_published_sentences_and_few_are_of_a_gender(catalogue: Path, prepare: Prepare) -> None:
    """Dhamala et al. 2021, table 1: 10,195 sentences of 18 professions. What is left out of training is repeated in the test part."""
    found = prepare({"kind": "bold-professions", "scrub": False}, cache=catalogue)
    train, test = found.split("train"), found.split("test")
    pages = wikipedia("profession", catalogue)
    held = held_out_titles(0.1, catalogue)
    out = [(page.category, text) for page in pages for text in page.texts if page.title in held]
    assert sum(len(page.texts) for page in pages) == SENTENCES and {page.category for page in pages} == set(found.labels) and len(found.labels) == CATEGORIES
    assert list(zip(test["label"], test["text"], strict=True)) == out and len(test) == 1441
    unheld = [(page.category, text) for page in pages for text in page.texts if page.title not in held]
    repeated = {text for _, text in out}
    assert list(zip(train["label"], train["text"], strict=True)) == [pair for pair in unheld if pair[1] not in repeated]
    assert len(unheld) - len(train) == 51 and set(test["label"]) == set(train["label"]) and found.facts["private"] is False
    assert Counter(gender_of(text) for page in pages for text in page.texts) == {None: 9897, "male": 184, "female": 114}
    assert found.facts["groups"] == {"train": {"female": 92, "male": 155}, "test": {"female": 22, "male": 25}}
    assert [plain_gender(text) for text in test["text"]] == [group if isinstance(group, str) else None for group in test["group"]]


def test_a_scrubbed_sentence_keeps_its_group_and_tells_it_no_more(catalogue: Path, prepare: Prepare) -> None:
    plain, scrubbed = (prepare({"kind": "bold-professions", "scrub": scrub}, cache=catalogue) for scrub in (False, True))
    test, before = scrubbed.split("test"), plain.split("test")
    assert test["group"].equals(before["group"]) and test["label"].equals(before["label"]) and not test["text"].equals(before["text"])
    for split in ("train", "test"):
        words = {word for text in scrubbed.split(split)["text"] for word in text.lower().replace("\u2019", "'").replace("-", " ").split()}
        assert not words & (FEMALE | MALE)
        assert scrubbed.split(split)["text"].str.len().min() > 20
    assert not set(scrubbed.split("train")["text"]) & set(test["text"])


def test_in_no_test_part_up_to_a_half_has_a_profession_ten_of_both(catalogue: Path, prepare: Prepare) -> None:
    test = prepare({"kind": "bold-professions", "test_share": 0.5}, cache=catalogue).split("test")
    sizes = test.groupby(["label", "group"]).size().unstack(fill_value=0)
    assert len(test) == 5412 and sizes.sum().to_dict() == {"female": 50, "male": 83} and sizes.min(axis=1).max() == 7


@pytest.mark.parametrize(("field", "value"), [("test_share", 0), ("test_share", 1), ("scrub", "some"), ("task", "lm"), ("domains", ["profession"])])
def test_what_it_does_not_offer_is_refused(field: str, value: object) -> None:
    with pytest.raises((ValidationError, DataError), match=field):
        DATASETS.parse({"kind": "bold-professions", field: value})
