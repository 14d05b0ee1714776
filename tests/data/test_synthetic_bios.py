"""Our own short biographies: the planted skew is in the training part alone, the profession is told by hints alone, and not with certainty."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from pydantic import ValidationError

from tasks.data._bios import HINT_SHARE, OWN, PROFESSIONS, bios
from tasks.data._gender_unigrams import gender_of
from tasks.data._stereotype_words import OCCUPATIONS, PLACES, THINGS
from tasks.data.dataset import DATASETS
from tests.conftest import Prepare

N = 2500
BLOCK = {"kind": "synthetic-bios", "examples": N}


def within(found: float, truth: float, n: int) -> bool:
    """Within four standard errors: a false alarm in 16,000."""
    return abs(found - truth) <= 4 * math.sqrt(max(truth * (1 - truth), 1e-9) / n) + 1e-12


@pytest.mark.parametrize("skew", [0.0, 0.5, 1.0])
def test_professions_go_with_gender_as_planted_and_in_the_test_part_not_at_all(skew: float, prepare: Prepare) -> None:
    found = prepare({**BLOCK, "skew": skew})
    train, test = found.split("train"), found.split("test")
    assert found.facts["source"]["planted_skew"] == skew and set(found.labels) == set(PROFESSIONS) and within(len(test) / N, 0.2, N)
    for records, sign in ((train, skew), (test, 0.0)):
        for group, direction in (("female", 1), ("male", -1)):
            mine = records[records["label"].isin(OCCUPATIONS[group])]
            assert within(float((mine["group"] == "female").mean()), (1 + direction * sign) / 2, len(mine))
        assert all(within(count / len(records), 1 / 16, len(records)) for count in Counter(records["label"]).values())


def test_the_test_part_and_every_hint_are_the_same_whatever_the_skew(prepare: Prepare) -> None:
    fair, skewed = (prepare({**BLOCK, "skew": skew}) for skew in (0.0, 0.9))
    assert fair.split("test").equals(skewed.split("test")) and not fair.split("train").equals(skewed.split("train"))
    words = [[[word for word in text.split() if word in (*THINGS, *PLACES)] for text in found.split("train")["text"]] for found in (fair, skewed)]
    assert words[0] == words[1]


def test_a_text_tells_the_gender_and_never_names_a_profession() -> None:
    records = bios([0.5] * 1000, 3)
    assert [gender_of(text) for text in records["text"]] == list(records["group"])
    assert not {word for text in records["text"] for word in text.split()} & {*OCCUPATIONS["female"], *OCCUPATIONS["male"]}


def test_a_profession_has_hints_of_its_own_that_are_not_its_alone() -> None:
    """A place of the profession's own: ``HINT_SHARE`` and a tenth of the rest. In the other sequels things stand twice, and differ."""
    assert len({tuple(own.items()) for own in OWN.values()}) == len(PROFESSIONS) == 16
    assert set(Counter(thing for own in OWN.values() for thing in own["thing"]).values()) == {2}
    records = bios([0.5] * 2000, 4)
    places = [(word, label) for text, label in zip(records["text"], records["label"], strict=True) for word in text.split() if word in PLACES]
    own = sum(word in OWN[label]["place"] for word, label in places) / len(places)
    assert within(own, HINT_SHARE + (1 - HINT_SHARE) / len(PLACES), len(places))
    pairs = [text.split(" has a ")[1].split()[:4] for text in records["text"] if " has a " in text]
    assert pairs and all(first != second for first, _, _, second in pairs)


def test_the_same_fields_give_the_same_records(prepare: Prepare) -> None:
    digests = [prepare({**BLOCK, "examples": 200, "seed": seed}).facts["digest"] for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(("field", "value"), [("skew", -0.1), ("skew", 1.1), ("examples", 49), ("seed", -1), ("task", "lm")])
def test_what_it_does_not_offer_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        DATASETS.parse({"kind": "synthetic-bios", field: value})
