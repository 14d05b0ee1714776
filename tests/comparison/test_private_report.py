"""What a reader of a private study is told: guarantees beside numbers, the study's own, terms in words, and groups by themselves."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from rich.console import Console

from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.glossary import MEANINGS, glossary
from tasks.comparison.groups import group_tables
from tasks.comparison.guarantees import SIMULATED_NOTE
from tasks.comparison.pareto import pareto
from tasks.comparison.reasons import merged
from tasks.comparison.results import TrialResult
from tasks.comparison.terminal import print_comparison
from tasks.core.measures import Row
from tasks.privacy.mechanism import ADJACENCY_WORDS
from tests.comparison.private_studies import CONDITIONS, FOUR, GROUPS, SENTENCE, TWO, guarantees, private_facts, private_study, private_trials
from tests.comparison.studies import facts, failed, reported, row, trials
from tests.comparison.test_report import Page


def text(comparison: Comparison) -> str:
    """What a browser would show; nothing is loaded."""
    return _text(comparison.model_dump_json())


@cache
def _text(comparison: str) -> str:
    page = Page(reported(Comparison.model_validate_json(comparison)))
    assert list(page.loads()) == []
    return re.sub(r"\s+", " ", page.text)


def printed(comparison: Comparison, width: int = 240) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(comparison, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def terms(comparison: Comparison) -> list[str]:
    return list(glossary(comparison, pareto(comparison, columns(comparison))))


def test_each_guarantee_stands_beside_its_numbers() -> None:
    said = text(private_study())
    for arm, guarantee in guarantees(FOUR).items():
        assert re.search(rf"{arm}( \(baseline\))? {re.escape(guarantee)} ", said), arm
    assert "eps-1 simulated: example-level (1, 6.7e-06)-DP, add/remove 1 6.7e-06 1.600" in said and "plain (baseline) none none none none" in said


def test_what_simulated_means_is_said_once_and_only_where_it_occurs() -> None:
    found = private_study()
    secret = found.model_copy(update={"guarantees": {arm: tag.removeprefix("simulated: ") for arm, tag in found.guarantees.items()}})
    for view in (text, printed):
        assert re.sub(r"\s+", " ", view(found)).count(SIMULATED_NOTE) == 1
        assert SIMULATED_NOTE not in re.sub(r"\s+", " ", view(secret))


def test_what_the_study_spends_is_passed_on_and_said() -> None:
    found, without = private_study(), private_study().model_copy(update={"study_privacy": None})
    assert found.study_privacy is not None and found.study_privacy.uncovered == 5
    assert Comparison.model_validate_json(found.model_dump_json()) == found
    for view in (text, printed):
        assert SENTENCE in view(found) and SENTENCE not in view(without)


@pytest.mark.parametrize("view", [text, printed])
def test_epsilon_is_rounded_up_and_has_no_interval(view: Any) -> None:
    """As its guarantee says it: 2.9996 is 3, and 3.0004 is not 3."""
    assert " 3 " in view(private_study()) and "2.9996" not in view(private_study())
    assert " 3.01 " in view(private_study({"plain": None, "eps-3": 3.0004}))
    assert not re.search(r" 3 +\[", view(private_study()))


def test_the_terminal_leaves_out_delta_and_groups_but_not_where_groups_are_all() -> None:
    said = printed(private_study())
    assert "noise multiplier" in said and "accuracy worst group" in said and "north" not in said
    assert not re.search(r"^arm .*delta", said, re.MULTILINE)
    rows = tuple(row(0.5, f"fairness/accuracy/by_group/{group}") for group in GROUPS)
    alone = printed(compare(facts(["plain"]), [TrialResult("plain", 0, rows, "finished")]))
    assert "north" in alone


@pytest.mark.parametrize("width", [100, 140])
def test_no_column_is_lost_on_a_terminal(width: int) -> None:
    """Titles that are wider than their numbers once pushed the last column out of the table."""
    unlike = {"eps-3": {**CONDITIONS, "delta": "1e-05"}, "eps-1": {**CONDITIONS, "unit": "user"}}
    found = private_study(conditions=unlike)
    said = printed(found, width)
    assert max(map(len, said.splitlines())) <= width
    for value in found.arms["plain"].values():
        if value.low is not None and value.conditions.get("device") is None and "groups" not in value.conditions:
            assert f"[{value.low:.3f}, {value.high:.3f}]" in said


def test_groups_have_a_table_of_their_own() -> None:
    found = private_study(TWO)
    [table] = group_tables(found, columns(found))
    assert table.title == "accuracy by group" and table.head == ("group", "records", "plain", "eps-8")
    assert [line[:2] for line in table.rows] == [("north", "212"), ("south", "180"), ("travellers_and_guests", "31")]
    value = found.arms["eps-8"]["fairness/accuracy/by_group/south"]
    assert table.rows[1][3] == f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"
    said = text(found)
    assert "accuracy by group group records plain eps-8 north 212 " in said and "fairness/accuracy/by_group/north" not in said


def test_whichever_are_fewer_stand_across() -> None:
    found = private_study({**FOUR, "eps-2": 2.0})
    [table] = group_tables(found, columns(found))
    assert table.head[0] == "arm" and "north (212\u00a0records)" in table.head and [line[0] for line in table.rows] == list(found.arms)
    assert group_tables(compare(facts(["plain"]), trials({"plain": [0.5]})), []) == []


@pytest.mark.parametrize(
    ("fields", "there", "absent"),
    [
        (
            {},
            ["(epsilon, delta)-DP", "example-level", "add/remove", "simulated", "AUC of an attack", "Pareto front", "[low, high]"],
            ["confounded", "replace one"],
        ),
        ({"doubt": "named"}, ["confounded"], []),
        ({"seeds": 1}, ["fairness difference"], ["[low, high]"]),
        ({"arms": {"eps-1": 1.0}}, ["(epsilon, delta)-DP"], ["Pareto front"]),
        ({"arms": {"plain": None, "other": None}}, ["AUC of an attack"], ["(epsilon, delta)-DP", "example-level", "add/remove", "simulated", "Pareto front"]),
    ],
)
def test_only_terms_that_occur_are_explained(fields: Mapping[str, Any], there: list[str], absent: list[str]) -> None:
    found = private_study(**fields)
    assert set(there) <= set(terms(found)) and not set(absent) & set(terms(found))
    said = text(found)
    assert all(MEANINGS[term] in said for term in there) and not any(MEANINGS[term] in said for term in absent)


def test_terms_of_guarantees_that_are_none_are_explained() -> None:
    found = compare(facts(["plain"]), trials({"plain": [0.5]}))
    assert terms(found) == [] and "How to read this" not in text(found)
    odd = found.model_copy(update={"guarantees": {"plain": "not a guarantee: the sampler"}})
    assert terms(odd) == ["not a guarantee"] and "How to read this" in text(odd)


def test_terms_of_a_tested_mechanism_are_explained() -> None:
    found = compare(facts(["plain"]), trials({"plain": [0.5]}))
    value = found.arms["plain"]["utility/accuracy"]
    names = ("noise_ratio", "sensitivity_ratio", "violations")
    tested = found.model_copy(update={"arms": {"plain": {f"privacy/mechanism/{name}": value for name in names}}})
    assert terms(tested) == ["noise ratio", "sensitivity ratio", "violations"]


def test_every_adjacency_is_explained_and_nothing_at_length() -> None:
    assert set(ADJACENCY_WORDS.values()) <= set(MEANINGS)
    for term, meaning in MEANINGS.items():
        assert meaning.endswith(".") and len(re.findall(r"\.(?= |$)", meaning)) <= 2, term


def test_what_was_spent_is_no_contest() -> None:
    said = text(private_study())
    assert "utility/accuracy: plain has the best number" in said and "privacy/loss_threshold/auc: eps-1 has the best number" in said
    assert not re.search(r"(epsilon|delta|noise_multiplier|blind_auc|by_group/\w+): \S+ has the best number", said)
    same = text(compare(facts(["a", "b", "c"]), trials({"a": [0.5], "b": [0.5], "c": [0.4]})))
    assert "utility/accuracy: a and b have the best number, 0.500." in same
    assert "all arms have the same number, 0.500." in text(compare(facts(["a", "b"]), trials({"a": [0.5], "b": [0.5]})))


def test_the_front_is_said_where_there_is_one() -> None:
    for view in (text, printed):
        assert "Pareto front over (privacy/epsilon, utility/accuracy, fairness/accuracy/difference), by means" in view(private_study())
        assert "Pareto front" not in view(private_study({"plain": None, "other": None}))
    many = {f"arm-{index}": index / 2 for index in range(1, 9)}
    assert "Pareto front over" in text(private_study(many))


CLAIMS = [
    (
        {"metric": "privacy/loss_threshold/auc_above_blind", "arm": "eps-1", "at_most": 0.02},
        "of eps-1 is 0.006, 95% interval 0.003 to 0.010; at most 0.02 is claimed",
    ),
    (
        {"metric": "privacy/loss_threshold/auc_above_blind", "arm": "plain", "at_least": 0.05},
        "of plain is 0.123, 95% interval 0.115 to 0.131; at least 0.05 is claimed",
    ),
    (
        {"metric": "fairness/accuracy/difference", "arm": "plain", "versus": "eps-1", "better": True},
        "of plain less that of eps-1 is -0.132, 95% interval -0.153 to -0.111; lower is better",
    ),
    ({"metric": "fairness/accuracy/difference", "arm": "eps-8", "versus": "plain", "not_worse_by": 0.1}, "lower is better, worse by less than 0.1 is claimed"),
    ({"metric": "utility/accuracy", "arm": "plain", "versus": "eps-1", "better": True}, "95% interval 0.195 to 0.212 (paired"),
    ({"metric": "utility/accuracy", "arm": "plain", "versus": "eps-1", "equivalent_within": 0.3}, "less than 0.3 either way is claimed"),
]


@pytest.mark.parametrize(("claim", "said"), CLAIMS)
def test_a_claim_says_what_is_claimed_and_what_is_doubted(claim: dict[str, Any], said: str) -> None:
    [answer] = private_study(claims=[claim]).claims
    assert answer.verdict == "holds" and said in answer.sentence and "onfounded" not in answer.sentence
    [doubted] = private_study(claims=[claim], doubt="the pools differ (AUC 0.6)").claims
    assert doubted.sentence.endswith(" Confounded: the pools differ (AUC 0.6).") == claim["metric"].startswith("privacy/")


def test_a_doubt_that_every_seed_words_with_its_own_numbers_is_said_once() -> None:
    assert merged(["x (AUC 0.5)", "x (AUC 0.6)", "y (1)", "y (1)"]) == ["x", "y (1)"]
    results = trials({"plain": [0.5, 0.6, 0.7]})
    rows = [trial.rows[0].model_copy(update={"status": "confounded", "reason": f"the pools differ (AUC 0.{seed})"}) for seed, trial in enumerate(results)]
    every = compare(facts(["plain"]), [TrialResult("plain", seed, (found,), "finished") for seed, found in enumerate(rows)])
    assert every.arms["plain"]["utility/accuracy"].reason == "the pools differ"
    some = compare(
        facts(["plain"]), [TrialResult("plain", seed, (found,), "finished") for seed, found in enumerate([rows[0], *(trial.rows[0] for trial in results[1:])])]
    )
    assert some.arms["plain"]["utility/accuracy"].reason == "the pools differ (AUC 0.0); so in 1 of 3 seeds"
    assert some.arms["plain"]["utility/accuracy"].status == "confounded"


def test_notes_that_all_arms_share_are_one_line() -> None:
    said = text(private_study(doubt="the members were named"))
    assert said.count("confounded: the members were named (privacy/loss_threshold/auc, ") == 1 and "all arms: confounded" in said


def test_how_many_records_a_number_is_over_is_kept_with_many_seeds() -> None:
    found = private_study()
    assert found.arms["plain"]["utility/accuracy"].records == 423 and "data: d1 ; split: test ; 423 records" in text(found)
    sizes = [TrialResult("plain", seed, (row(0.5, n=100 + seed),), "finished") for seed in range(2)]
    assert compare(facts(["plain"]), sizes).arms["plain"]["utility/accuracy"].records is None


POOR: list[tuple[dict[str, float | None], list[TrialResult]]] = [
    (FOUR, [failed(arm, seed) for arm in FOUR for seed in range(2)]),
    (FOUR, [*private_trials({"plain": None}, seeds=2), *(failed(arm, 0) for arm in FOUR if arm != "plain")]),
    (
        FOUR,
        [
            TrialResult(trial.arm, trial.seed, tuple(found for found in trial.rows if found.name.startswith("privacy/")), "finished")
            for trial in private_trials(FOUR)
        ],
    ),
    (
        FOUR,
        [
            TrialResult(trial.arm, trial.seed, tuple(found for found in trial.rows if not found.name.startswith("privacy/loss")), "finished")
            for trial in private_trials(FOUR)
        ],
    ),
    ({"eps-1": 1.0}, private_trials({"eps-1": 1.0}, seeds=1)),
    (TWO, [TrialResult("eps-8", 0, (Row(name="privacy/epsilon", value=None, status="undefined", reason="no bound", direction="lower"), row(0.5)), "finished")]),
    (TWO, []),
]


@pytest.mark.parametrize(("arms", "results"), POOR)
def test_a_study_that_went_wrong_has_a_report_too(arms: dict[str, float | None], results: list[TrialResult]) -> None:
    """All trials failed, one arm left, no utility, no attack, one arm with one seed, an epsilon that could not be had, no trials."""
    found = compare(private_facts(arms), results)
    said = text(found)
    assert "Numbers" in said and all(guarantee in said for guarantee in found.guarantees.values()) and printed(found)


def test_a_baseline_is_one_at_every_grid_point() -> None:
    arms = {f"{arm}[x={x}]": epsilon for arm, epsilon in TWO.items() for x in (1, 2)}
    found = private_study(arms, seeds=2)
    assert [found.is_baseline(arm) for arm in arms] == [True, True, False, False]
    assert reported(found).count("x=1] (baseline)") >= 1
    assert not found.model_copy(update={"baseline": "pla"}).is_baseline("plain[x=1]")
