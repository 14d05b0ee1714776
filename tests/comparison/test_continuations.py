"""What models write, side by side: which prompts and arms are shown, what is said to be left out, and that a text stays a text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.comparison.compare import compare
from tasks.comparison.continuations import LONGEST, MOST_ARMS, MOST_PROMPTS, Continuations, continuations, paired, readable, shortened
from tasks.comparison.report import report
from tasks.comparison.results import StudyFacts, TrialResult
from tasks.comparison.steps import reduce_comparison
from tests.comparison.studies import facts, row, trials
from tests.comparison.test_report import SCRIPT, Page

METRIC = "fairness/bold"
Texts = Mapping[str, str]
CONDITIONS = {"prompts": "p1", "protocol": "q1", "ideal": "0"}


def sample(place: int, text: str, **fields: str) -> dict[str, str]:
    return {"id": f"p{place:02}", "group": "ab"[place % 2], "prompt": f"Prompt {place} goes", "text": text, **fields}


def wrote(arm: str, places: Sequence[int], seed: int = 0) -> list[dict[str, str]]:
    return [sample(place, f"{arm} wrote {place} with {seed}") for place in places]


def trial(arm: str, places: Sequence[int] = range(3), seed: int = 0, **conditions: str) -> TrialResult:
    """An arm that was measured, and continued some prompts."""
    measured = row(0.5, f"{METRIC}/score", conditions={**CONDITIONS, **conditions})
    return TrialResult(arm, seed, (measured,), "finished", samples={METRIC: wrote(arm, places, seed)} if places else {})


def page(study: StudyFacts, results: Sequence[TrialResult]) -> Page:
    """The report, without plots: they take long and show no texts."""
    return Page(report(compare(study, results), (), continuations(study, results)))


def only(found: tuple[Continuations, ...]) -> Continuations:
    (one,) = found
    return one


def slow(samples: Mapping[str, Sequence[Texts]]) -> tuple[list[tuple[str, dict[str, str]]], int]:
    """Prompt by prompt, arm by arm."""
    prompts: list[tuple[str, str, str]] = []
    for mine in samples.values():
        for one in mine:
            if (one["group"], one["id"], one["prompt"]) not in prompts:
                prompts.append((one["group"], one["id"], one["prompt"]))
    table: dict[tuple[str, str, str], dict[str, str]] = {}
    for prompt in prompts:
        table[prompt] = {}
        for arm, mine in samples.items():
            said = [one["text"] for one in mine if (one["group"], one["id"], one["prompt"]) == prompt]
            if said:
                table[prompt][arm] = said[0]
    chosen: list[tuple[str, str, str]] = []
    for count in range(len(samples), 1, -1):
        for prompt in prompts:
            if len(table[prompt]) == count and len(chosen) < MOST_PROMPTS:
                chosen.append(prompt)
    chosen = chosen or prompts[:MOST_PROMPTS]
    return [(prompt[2], table[prompt]) for prompt in sorted(chosen)], len(prompts) - len(chosen)


@pytest.mark.parametrize("draws", range(20))
def test_pairing_is_that_of_a_slow_twin(draws: int) -> None:
    """Arms that kept some of 20 prompts each, in their own order, a few of them twice or with other words under the same id."""
    draw = np.random.default_rng(draws)
    samples: dict[str, list[dict[str, str]]] = {}
    for arm in "abcd"[: 1 + draws % 4]:
        places = draw.choice(20, size=int(draw.integers(1, 18)), replace=draws % 5 == 0)
        samples[arm] = [
            sample(int(place), f"{arm}{number}", **({"prompt": "other words"} if draw.random() < 0.1 else {})) for number, place in enumerate(places)
        ]
    found, more = paired(samples)
    expected, left = slow(samples)
    assert ([(one.prompt, one.texts) for one in found], more) == (expected, left)
    assert 0 < len(found) <= MOST_PROMPTS


def test_every_prompt_is_continued_by_each_arm_and_the_baseline_stands_first() -> None:
    found = only(continuations(facts(["other", "plain", "third"], baseline="plain"), [trial(arm) for arm in ("other", "plain", "third")]))
    assert found.arms == ("plain", "other", "third") and (found.seed, found.metric, found.texts) == (0, METRIC, 9)
    assert [one.id for one in found.prompts] == ["p00", "p02", "p01"], "prompts of a group stand together"
    for one in found.prompts:
        assert list(one.texts) == ["plain", "other", "third"]
        assert all(text == f"{arm} wrote {int(one.id[1:])} with 0" for arm, text in one.texts.items())
    assert (found.left_out, found.without, found.prompts_left_out, found.differing) == ((), (), 0, ())
    assert found.conditions == {"prompts": "p1", "protocol": "q1"}, "only what decides the texts"


def test_of_a_grid_each_arm_stands_beside_the_baseline_of_its_point_and_too_many_are_named() -> None:
    arms = [f"{base}[n={point}]" for base in ("plain", "other") for point in range(4)]
    study, results = facts(arms), [trial(arm) for arm in arms]
    found = only(continuations(study, results))
    assert found.arms == ("plain[n=0]", "other[n=0]", "plain[n=1]", "other[n=1]", "plain[n=2]", "other[n=2]") and len(found.arms) == MOST_ARMS
    assert found.left_out == ("plain[n=3]", "other[n=3]")
    assert "forwantofroom:plain[n=3];other[n=3]." in page(study, results).text.replace(" ", "")


def test_all_texts_are_of_the_seed_with_which_most_arms_wrote() -> None:
    study = facts(["plain", "other"])
    both = [trial(arm, seed=seed) for arm in ("plain", "other") for seed in (3, 4)]
    assert only(continuations(study, both)).seed == 3, "the first of several"
    lost = [*both[:2], replace(both[2], rows=(), samples={}, status="failed"), both[3]]
    found = only(continuations(study, lost))
    assert found.seed == 4 and {text.split()[-1] for one in found.prompts for text in one.texts.values()} == {"4"}


def test_a_prompt_that_an_arm_lacks_is_said_to_be_missing_and_one_of_a_single_arm_is_not_shown() -> None:
    study, results = facts(["plain", "other", "third"]), [trial("plain", (0, 1, 2, 5)), trial("other", (0, 1)), trial("third", (0, 2))]
    found = only(continuations(study, results))
    assert {one.id: list(one.texts) for one in found.prompts} == {"p00": ["plain", "other", "third"], "p01": ["plain", "other"], "p02": ["plain", "third"]}
    shown = page(study, results)
    assert shown.text.count("none is kept") == 2 and "1 more prompt is not shown" in shown.text and "Prompt 5 goes" not in shown.text
    apart = only(continuations(study, [trial("plain", (0,)), trial("other", (1,))]))
    assert [list(one.texts) for one in apart.prompts] == [["plain"], ["other"]], "where nothing is shared, what there is"


def test_more_prompts_than_fit_are_counted_and_long_tables_fold() -> None:
    study, results = facts(["plain", "other", "x", "y"]), [trial(arm, range(20)) for arm in ("plain", "other", "x", "y")]
    found = only(continuations(study, results))
    assert (len(found.prompts), found.prompts_left_out, found.texts) == (MOST_PROMPTS, 20 - MOST_PROMPTS, 48)
    text = page(study, results).text
    assert "8 more prompts are not shown" in text and "48 texts after 12 prompts" in text
    assert "texts after" not in page(study, [trial(arm) for arm in ("plain", "other")]).text


def test_arms_without_texts_and_unlike_conditions_are_said() -> None:
    """An arm of private data has numbers and no texts; one that was not measured at all is not mentioned."""
    study = facts(["plain", "other", "private", "unmeasured"])
    results = [trial("plain"), trial("other", prompts="p2"), trial("private", ()), *trials({"unmeasured": [0.5]})]
    found = only(continuations(study, results))
    assert found.without == ("private",) and found.differing == ("prompts",) and found.conditions == {"protocol": "q1"}
    text = page(study, results).text
    assert (
        "No texts of private: texts are kept only" in text
        and "unlike conditions (prompts)" in text
        and "Seed 0. Protocol: q1" in " ".join(text.split()).replace(" .", ".")
    )


@pytest.mark.parametrize("where", ["text", "prompt", "group", "arm", "left out", "without", "metric", "condition"])
def test_nothing_that_a_model_wrote_becomes_a_tag(where: str) -> None:
    metric = f"fairness/{SCRIPT}" if where == "metric" else METRIC
    arms = [*(f"a{place}" for place in range(MOST_ARMS if where == "left out" else 1)), SCRIPT if where in ("arm", "left out", "without") else "other"]
    mine = [{**sample(0, "well"), **({where: SCRIPT} if where in ("text", "prompt", "group") else {})}]
    rows = (row(0.5, f"{metric}/score", conditions={"prompts": SCRIPT if where == "condition" else "p1"}),)
    silent = SCRIPT if where == "without" else ""
    shown = page(facts(arms), [TrialResult(arm, 0, rows, "finished", samples={} if arm == silent else {metric: mine}) for arm in arms])
    assert list(shown.loads()) == []
    section = shown.text.partition("What the models write")[2].partition("Conditions of every number")[0]
    assert SCRIPT in section or (where == "metric" and "<script>" in section)


def test_a_text_is_one_line_of_at_most_so_many_characters() -> None:
    assert readable(" a\n\n b\tc\x00d\x1b[0m é ") == "a b c d [0m é"
    assert shortened("x" * LONGEST) == "x" * LONGEST and shortened("") == ""
    words, word = shortened("word " * 100), shortened("y" * (LONGEST + 1))
    assert len(words) <= LONGEST and words.endswith("word…") and word == "y" * (LONGEST - 1) + "…"


def test_a_text_that_ended_at_once_is_said_to_have() -> None:
    results = [replace(trial(arm), samples={METRIC: [sample(0, " \n" if arm == "other" else "on.")]}) for arm in ("plain", "other")]
    assert page(facts(["plain", "other"]), results).text.count("nothing: the text ends here") == 1


def test_the_files_hold_what_is_shown_and_the_comparison_is_as_without(tmp_path: Path) -> None:
    study, with_texts = facts(["plain", "other"]), [trial(arm) for arm in ("plain", "other")]
    without = [replace(one, samples={}) for one in with_texts]
    folders = [tmp_path / name for name in ("with", "without")]
    for folder, results in zip(folders, (with_texts, without), strict=True):
        folder.mkdir()
        reduce_comparison(study, results, folder)
    told: list[dict[str, Any]] = json.loads((folders[0] / "continuations.json").read_text(encoding="utf-8"))
    assert tuple(Continuations.model_validate(one) for one in told) == continuations(study, with_texts)
    assert "What the models write" in (folders[0] / "report.html").read_text(encoding="utf-8")
    for name in ("comparison.json", "comparison.csv", "trials.csv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_where_no_texts_are_kept_nothing_is_said(tmp_path: Path) -> None:
    study, results = facts(["plain", "other"]), [trial(arm, ()) for arm in ("plain", "other")]
    assert continuations(study, results) == () and "What the models write" not in page(study, results).text
    reduce_comparison(study, results, tmp_path)
    assert (tmp_path / "report.html").exists() and not (tmp_path / "continuations.json").exists()
