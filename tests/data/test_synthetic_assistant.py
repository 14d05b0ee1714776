"""The synthetic assistant keeps what its block promises: the same records, a gap of known size, skewed users, valid tags."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.data._grammar import CLOSINGS, DOMAINS, FILLERS, OPENINGS
from tasks.data.datasets.synthetic_assistant import SyntheticAssistant
from tests.conftest import Prepare
from tests.data.tags import is_bio

FALSE_ALARM = 1e-6
BLOCK = {"kind": "synthetic-assistant", "examples": 8000, "users": 100, "intents": 12, "bias": 0.4, "seed": 3, "task": "joint"}


@pytest.fixture(scope="module")
def records(prepare: Prepare) -> pd.DataFrame:
    prepared = prepare(BLOCK)
    return pd.concat([prepared.split("train"), prepared.split("test")])


class Grammarian:
    """Knows the grammar: an intent fits a text that one of its templates, or an ambiguous one of its domain, could have made."""

    def __init__(self) -> None:
        self.patterns: dict[str, re.Pattern[str]] = {}
        for domain in DOMAINS[:6]:
            for intent, own in zip(domain.intents, domain.templates, strict=True):
                choices = "|".join(self.spelled(template) for template in (*own, *domain.ambiguous))
                self.patterns[intent] = re.compile(f"(?:{self.either(OPENINGS)} )?(?:{choices})(?: {self.either(CLOSINGS)})?")

    @staticmethod
    def either(texts: tuple[str, ...]) -> str:
        return "(?:" + "|".join(re.escape(text) for text in texts if text) + ")"

    def spelled(self, template: str) -> str:
        parts = re.split(r"\{(\w+)\}", template)
        return "".join(self.either(tuple(FILLERS[part].split("|"))) if index % 2 else re.escape(part) for index, part in enumerate(parts))

    def answer(self, text: str) -> str:
        fitting = [intent for intent, pattern in self.patterns.items() if pattern.fullmatch(text)]
        assert fitting, f"the grammar did not make: {text}"
        return fitting[0]


def test_an_oracle_that_knows_the_grammar_finds_the_planted_gap(records: pd.DataFrame) -> None:
    """Group a is answered without an error; group b with 1 - bias / 2, at a false-alarm rate of 1e-6. A gap of half the size is told apart."""
    oracle = Grammarian()
    right = records["text"].map(oracle.answer) == records["label"]
    a, b = right[records["group"] == "a"], right[records["group"] == "b"]
    assert a.all()
    assert stats.binomtest(int(b.sum()), len(b), 1 - 0.4 / 2).pvalue > FALSE_ALARM
    assert stats.binomtest(int(b.sum()), len(b), 1 - 0.2 / 2).pvalue < FALSE_ALARM


def test_the_promised_gap_is_half_the_bias(prepare: Prepare) -> None:
    block = SyntheticAssistant.model_validate(BLOCK)
    assert block.accuracy_gap == 0.2
    assert prepare(BLOCK).facts["source"]["planted_accuracy_gap"] == 0.2


def test_the_same_fields_give_the_same_records(prepare: Prepare) -> None:
    digests = [prepare({**BLOCK, "examples": 300, "seed": seed}, seed=trial).facts["digest"] for seed, trial in ((3, 0), (3, 5), (4, 0))]
    assert digests[0] == digests[1] != digests[2]


def test_users_are_skewed_as_one_over_rank(records: pd.DataFrame) -> None:
    """Chi-square at a false-alarm rate of 1e-6; evenly spread users are told apart."""
    seen = records["user"].value_counts().reindex([f"user-{rank:04d}" for rank in range(100)], fill_value=0).to_numpy()
    weights = 1 / np.arange(1, 101)
    assert stats.chisquare(seen, weights / weights.sum() * seen.sum()).pvalue > FALSE_ALARM
    assert stats.chisquare(seen, np.full(100, seen.sum() / 100)).pvalue < FALSE_ALARM


def test_every_user_is_of_one_group_and_half_of_each(records: pd.DataFrame) -> None:
    groups = records.groupby("user")["group"].unique()
    assert groups.map(len).eq(1).all()
    assert groups.map(lambda found: found[0]).value_counts().to_dict() == {"a": 50, "b": 50}


def test_tags_are_bio_and_name_what_the_grammar_filled_in(records: pd.DataFrame) -> None:
    for tokens, tags, text in zip(records["tokens"], records["slots"], records["text"], strict=True):
        assert " ".join(tokens) == text and len(tokens) == len(tags) and is_bio(tags)
        spans = re.findall(r"B(?: I)*|O", " ".join(tag[0] for tag in tags))
        place = 0
        for span in spans:
            size = len(span.split())
            if span != "O":
                assert " ".join(tokens[place : place + size]) in FILLERS[tags[place][2:]].split("|")
            place += size
    assert not is_bio(["O", "I-song"]) and not is_bio(["B-song", "I-room"])  # what would be caught


def test_dates_are_real_and_of_the_first_year(records: pd.DataFrame) -> None:
    times = records["time"].map(datetime.fromisoformat)
    assert times.min() >= datetime(2025, 1, 1, tzinfo=UTC) and times.max() < datetime(2026, 1, 1, tzinfo=UTC)
    share = (times - datetime(2025, 1, 1, tzinfo=UTC)).map(lambda gone: gone.total_seconds()) / (365 * 24 * 3600)
    assert stats.kstest(share, "uniform").pvalue > FALSE_ALARM


def test_a_fifth_is_for_testing_and_intents_are_even(prepare: Prepare) -> None:
    prepared = prepare(BLOCK)
    assert stats.binomtest(prepared.facts["counts"]["test"], 8000, 0.2).pvalue > FALSE_ALARM
    labels = pd.concat([prepared.split("train"), prepared.split("test")])["label"].value_counts()
    assert len(labels) == len(prepared.labels) == 12
    assert stats.chisquare(labels.to_numpy()).pvalue > FALSE_ALARM


def test_an_odd_number_of_intents_is_refused() -> None:
    with pytest.raises(ValidationError, match="even"):
        SyntheticAssistant.model_validate({**BLOCK, "intents": 7})
