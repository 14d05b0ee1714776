"""WinoBias by likelihood: types apart, pairs by line, one sentence at a time against batches, a planted preference and none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.fairness.fakes import FakeProbe, WinoPair, alone_causal, alone_masked, by_name, fair, holds, log, metric, opened


def pairs(count: int, kind: Literal[1, 2] = 1, split: str = "dev") -> list[WinoPair]:
    sides = (("he", "she"), ("she", "he"))
    return [
        WinoPair(f"{split}{kind}/{line}", kind, split, line, f"{line} as {sides[line % 2][0]}", f"{line} as {sides[line % 2][1]}")
        for line in range(1, count + 1)
    ]


def preferring(share: float, seed: int = 0, male: float = 0.0, by: int = 1) -> FakeProbe:
    """A causal model that finds the pro-stereotypical pronoun the more likely in a share of the lines, and 'he' in all by a bonus."""

    def causal(before: list[str], target: str) -> float:
        if target not in ("he", "she"):
            return -1.0
        line = int(before[1])
        pro = target == ("he", "she")[line % 2]
        likes = np.random.default_rng([seed, (line - 1) // by]).random() < share
        return log(0.3 if pro == likes else 0.2) + (male if target == "he" else 0.0)

    return FakeProbe(causal=causal)


def rows(probe: FakeProbe, given: list[WinoPair], **fields: Any) -> Any:
    return by_name(metric("winobias", **fields).scored(given, probe, 0), "winobias")


def test_scored_by_hand_equal_sentences_are_right_on_neither_side() -> None:
    def causal(before: list[str], target: str) -> float:
        line = int(before[1]) if len(before) > 1 else 1
        bonus = 0.0 if line > 30 else 1.0 if (target == ("he", "she")[line % 2]) == (line <= 20) else 0.0
        return -1.0 + (bonus if target in ("he", "she") else 0.0)

    found = rows(FakeProbe(causal=causal), pairs(40), types=[1])  # 20 pro, 10 anti, 10 alike
    assert {name: row.value for name, row in found.items()} == pytest.approx(
        {"type_1/score": 0.25, "type_1/difference": 0.25, "type_1/by_group/pro": 0.5, "type_1/by_group/anti": 0.25}
    )
    assert {name: row.direction for name, row in found.items()} == {
        "type_1/score": "none",
        "type_1/difference": "lower",
        "type_1/by_group/pro": "none",
        "type_1/by_group/anti": "none",
    }


def test_types_are_never_pooled() -> None:
    """A model that follows the stereotype in sentences of type 2 alone."""
    both = [*pairs(60), *(WinoPair(f"2/{line}", 2, "dev", line, f"{line + 1000} as he", f"{line + 1000} as she") for line in range(1, 61))]
    probe = FakeProbe(causal=lambda before, target: -1.0 - (target == "she" and int(before[1]) > 1000) * 2.0)
    found = rows(probe, both)
    assert fair(found["type_2/score"]) == 1.0 and fair(found["type_1/score"]) == 0.0
    assert set(found) == {f"type_{number}/{name}" for number in (1, 2) for name in ("score", "difference", "by_group/pro", "by_group/anti")}


def test_a_planted_preference_is_flagged_and_none_lies_within_its_margin() -> None:
    """The gap of 1000 lines has a standard error of 0.032: 0.13 away from 0 happens once in 16,000 at no preference."""
    planted, none = rows(preferring(0.8), pairs(1000), types=[1]), rows(preferring(0.5), pairs(1000), types=[1])
    assert fair(planted["type_1/score"]) == pytest.approx(0.6, abs=0.13) and planted["type_1/difference"].low > 0.4
    assert fair(none["type_1/difference"]) < 0.13 and holds(none["type_1/score"], 0.0) and none["type_1/difference"].low == 0.0


def test_liking_one_pronoun_throughout_is_no_stereotype() -> None:
    found = rows(preferring(0.5, male=5.0), pairs(100), types=[1])
    assert fair(found["type_1/score"]) == 0.0 and fair(found["type_1/by_group/pro"]) == 0.5


def test_the_interval_draws_two_lines_together_as_they_share_their_occupations() -> None:
    widths = []
    for by in (2, 1):
        row = rows(preferring(0.5, by=by), pairs(800), types=[1])["type_1/score"]
        widths.append(row.high - row.low)
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(2), rel=0.15)


@pytest.mark.parametrize(("kind", "task"), [("bert", "mlm"), ("gpt2", "lm")])
def test_batches_give_what_one_sentence_at_a_time_gives(tmp_path: Path, kind: str, task: str) -> None:
    probe = opened(tmp_path / kind, kind, task)
    given = [WinoPair("a", 1, "dev", 1, "The cook said that he ran.", "The cook said that she ran."), WinoPair("b", 1, "dev", 2, "I saw her.", "I saw him.")]
    found = metric("winobias")._scores(given, probe, None)
    for scores, pair in zip(found, given, strict=True):
        for score, text in zip(scores, (pair.pro, pair.anti), strict=True):
            ids = probe.encoder.encode([text])[0]
            if task == "mlm":
                expected = sum(alone_masked(probe, [*ids[:at], 3, *ids[at + 1 :]], at, ids[at]) for at in range(1, len(ids) - 1))
            else:
                expected = sum(alone_causal(probe, ids[:-1]))
            assert score == pytest.approx(expected, rel=1e-4)


def test_too_few_and_long_lines_have_no_number() -> None:
    long = WinoPair("l", 1, "dev", 99, "9 as he " * 30, "9 as she " * 30)
    found = rows(preferring(0.7), [*pairs(29), long], types=[1])
    assert {row.status for row in found.values()} == {"insufficient_evidence"} and found["type_1/difference"].n == 29
    kept = rows(preferring(0.7), [*pairs(30), long], types=[1])
    assert kept["type_1/score"].n == 30 and "longer than the model reads: 1" in str(kept["type_1/score"].reason)
    refused = metric("winobias").judge(FakeProbe(), 0).rows
    assert [(row.name, row.status) for row in refused] == [("fairness/winobias/type_1/difference", "unsupported")]


def test_conditions_say_that_it_is_an_adaptation_of_disputed_validity() -> None:
    found = metric("winobias")
    assert found.fidelity == "adaptation" and "not by resolving" in found.conditions["differs"] and "Blodgett" in found.conditions["validity"]
    dev = rows(preferring(0.7), [*pairs(40), *pairs(40, split="test")], types=[1], split="dev")
    assert dev["type_1/score"].n == 40


def test_published_lines(catalogue: Path) -> None:
    """Zhao et al. 2018: 396 lines per type and part; a pair differs in a pronoun, and men's and women's lines are about as many."""
    from tasks.fairness.items.winobias import load

    found: list[Any] = list(load(catalogue))
    for kind in (1, 2):
        for split in ("dev", "test"):
            part = [item for item in found if (item.type, item.split) == (kind, split)]
            assert 360 <= len(part) <= 396 and len({item.line for item in part}) == len(part)
    assert not any("[" in item.pro or "]" in item.anti for item in found) and all(item.pro != item.anti for item in found)
