"""Nights and champions: decided once, moved from what was compared with alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.privacy.ledger.nights import ChampionMoved, Night, Nights
from tests.privacy.ledger.keeping import ledger_at

NAME = "assistant-intent"
FIRST = Night("nightly", "monday", "monday.csv", "promoted", ("all gates passed",), {"utility/accuracy": 0.8}, "run-1")


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(ledger_at(tmp_path).engine)


def test_the_first_promotion_makes_a_champion(nights: Nights) -> None:
    assert nights.champion(NAME) is None and nights.history("nightly") == []
    decided = nights.decide(FIRST, NAME, None, "key-1")
    champion = nights.champion(NAME)
    assert champion is not None and (champion.version, champion.run, champion.artifact) == (1, "run-1", "key-1")
    assert decided == replace(FIRST, number=1, version=1, at=decided.at) and nights.history("nightly") == [decided]


def test_a_night_is_decided_once(nights: Nights) -> None:
    first = nights.decide(FIRST, NAME, None, "key-1")
    again = nights.decide(replace(FIRST, run="run-2", decision="refused"), NAME, None, "key-2")
    champion = nights.champion(NAME)
    assert again == first and champion is not None and (champion.version, champion.run) == (1, "run-1")


def test_a_refusal_leaves_the_champion(nights: Nights) -> None:
    nights.decide(FIRST, NAME, None, "key-1")
    refused = nights.decide(replace(FIRST, night="tuesday", decision="refused", reasons=("worse",), run="run-2"), NAME, 1, "key-2")
    champion = nights.champion(NAME)
    assert refused.version == 1 and refused.number == 2 and champion is not None and champion.run == "run-1"


def test_a_champion_that_was_moved_meanwhile_is_not_overwritten(nights: Nights) -> None:
    nights.decide(FIRST, NAME, None, "key-1")
    with pytest.raises(ChampionMoved, match="version 1, not none"):
        nights.decide(replace(FIRST, study="other", night="tuesday", run="run-2"), NAME, None, "key-2")
    champion = nights.champion(NAME)
    assert champion is not None and champion.run == "run-1" and nights.find("other", "tuesday") is None
    assert nights.decide(replace(FIRST, night="tuesday", run="run-2"), NAME, 1, "key-2").version == 2


def test_audits_and_models_are_apart(nights: Nights) -> None:
    nights.decide(FIRST, NAME, None, "key-1")
    nights.decide(replace(FIRST, study="other", run="run-9"), "another", None, "key-9")
    assert [night.number for night in nights.history("other")] == [1]
    other = nights.champion("another")
    assert other is not None and other.run == "run-9"
