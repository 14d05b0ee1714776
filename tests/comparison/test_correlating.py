"""The agreement of metrics over models: what is found, refused, turned, left out and corrected, and what is said to be concluded."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from rich.console import Console
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tasks.comparison import _coefficients as found
from tasks.comparison.agreement import decimals
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.correlating import correlate, oriented
from tasks.comparison.correlation import Cell, Correlation, Correlations, Method
from tasks.comparison.steps import reduce_comparison
from tasks.comparison.terminal import print_comparison
from tasks.core.multiplicity import benjamini_hochberg
from tests.comparison.correlated_studies import (
    ALIGNED_TPR,
    FAMILIES,
    ILPS,
    STEREO,
    TOXICITY,
    TPR,
    correlated_facts,
    correlated_study,
    long_table,
    planted,
    score,
)

METHODS: tuple[Method, ...] = ("pearson", "spearman", "kendall")


def cell(made: Correlations, first: str, second: str, method: Method = "pearson", alignment: str = "original") -> Cell:
    return next(c for c in made.cells if (c.first, c.second, c.method, c.alignment) == (first, second, method, alignment))


@pytest.mark.parametrize("seed", range(5))
def test_benjamini_hochberg_is_that_of_statsmodels(seed: int) -> None:
    p = list(np.random.default_rng(seed).uniform(size=1 + 4 * seed) ** 2)
    assert benjamini_hochberg(p) == pytest.approx(list(multipletests(p, method="fdr_bh")[1])) and benjamini_hochberg([]) == []


@pytest.mark.parametrize(("adjust", "name"), [("bh", "fdr_bh"), ("holm", "holm")])
def test_p_is_corrected_within_each_method(adjust: str, name: str) -> None:
    values = planted(2, follows={ILPS: 1.0, STEREO: 0.5, TPR: 0.5, TOXICITY: 0.0})
    made = correlate(long_table(values), Correlation.model_validate({"adjust": adjust}))
    for method in METHODS:
        mine = [c for c in made.cells if c.method == method]
        assert len(mine) == 4
        assert [c.p_adjusted for c in mine] == pytest.approx(list(multipletests([c.p for c in mine], method=name)[1]))


def test_a_planted_correlation_is_found_and_turned_the_right_way() -> None:
    """TPR of the worst group falls with bias: unturned its correlation would be negative."""
    made = correlate(long_table(planted()), Correlation())
    for method in METHODS:
        mine = cell(made, ILPS, TPR, method)
        assert mine.verdict == "correlated" and mine.value is not None and mine.value > 0.6 and mine.low is not None and mine.low > 0
        assert "more biased by the one are more biased by the other" in mine.sentence and mine.n == 16 and not mine.exploratory
    assert any("ILPS difference and TPR worst group" in sentence for sentence in made.concluded)
    values = planted()
    mine = cell(made, ILPS, TPR)
    assert mine.value == pytest.approx(stats.pearsonr(values[ILPS], [-float(v or 0) for v in values[TPR]]).statistic)
    assert oriented(2.0, "lower") == 2.0 and oriented(2.0, "higher") == -2.0
    with pytest.raises(ValueError, match="without a better direction"):
        oriented(1.0, "none")


def test_null_studies_conclude_nothing_and_say_that_it_cannot_be_told() -> None:
    """20 null studies of 4 pairs, corrected: at most 5% of them find anything, so more than 5 of 20 has probability 3e-4. None may find 'not correlated':
    16 models cannot bring an interval within 0.3."""
    verdicts = []
    for seed in range(20):
        made = correlate(long_table(planted(100 + seed, follows=dict.fromkeys((ILPS, STEREO, TPR, TOXICITY), 0.0))), Correlation(methods=("pearson",)))
        verdicts.append([c.verdict for c in made.cells])
        if "correlated" not in verdicts[-1]:
            assert made.concluded == () and sum("cannot be told" in sentence for sentence in made.not_concluded) == 4
    assert sum("correlated" in mine for mine in verdicts) <= 5 and not any("not correlated" in mine for mine in verdicts)


def test_no_correlation_is_said_only_where_the_whole_interval_is_small() -> None:
    """200 models: the standard error of z is 0.07, so that an interval fits within 0.3 but not within 0.1."""
    families = [f"f{place % 5}" for place in range(200)]
    values = long_table(planted(7, families, follows={ILPS: 0.0, TPR: 0.0}), families)
    (mine,) = correlate(values, Correlation(methods=("pearson",))).cells
    assert mine.verdict == "not correlated" and "no correlation as large as 0.3" in mine.sentence and mine.p is not None and mine.p > 0.05
    (strict,) = correlate(values, Correlation(methods=("pearson",), margin=0.1)).cells
    assert strict.verdict == "cannot tell" and strict.p == mine.p


@pytest.mark.parametrize(
    ("families", "words"), [(("a", "a", "b", "b"), "4 models have both metrics, and at least 5"), (("a",) * 12, "all 12 models are of one family")]
)
def test_too_few_models_or_one_family_are_refused(families: tuple[str, ...], words: str) -> None:
    made = correlate(long_table(planted(families=families), families), Correlation())
    assert len(made.cells) == 12
    for mine in made.cells:
        assert mine.status == "insufficient_evidence" and mine.reason is not None and words in mine.reason and mine.verdict == "no answer"
        assert (mine.value, mine.p, mine.p_adjusted, mine.low, mine.high, mine.bootstrap_low) == (None,) * 6 and mine.without == ()
    assert made.concluded == () and any(words in sentence for sentence in made.not_concluded)


def test_five_to_nine_models_are_exploratory_and_conclude_nothing() -> None:
    families = FAMILIES[:4] + FAMILIES[6:10]
    made = correlate(long_table(planted(families=families, noise=0.1), families), Correlation())
    mine = cell(made, ILPS, TPR)
    assert mine.verdict == "correlated" and mine.exploratory and mine.exact and mine.bootstrap_low is None and "Exploratory" in mine.sentence
    assert made.concluded == () and mine.sentence in made.not_concluded
    ten = correlate(long_table(planted(families=(*families, "x", "y"), noise=0.1), (*families, "x", "y")), Correlation())
    assert not cell(ten, ILPS, TPR).exploratory and ten.concluded and cell(ten, ILPS, TPR).bootstrap_low is not None


def test_a_correlation_that_one_family_makes_is_caught() -> None:
    """Within families the metrics have nothing in common; one family is far from the others in both."""
    draw = np.random.default_rng(3)
    away = np.array([4.0 if family == "recurrent" else 0.0 for family in FAMILIES])
    values = {ILPS: list(away + draw.normal(size=16)), TPR: list(-away + draw.normal(size=16))}
    made = correlate(long_table(values), Correlation(methods=("pearson",)))
    (mine,) = made.cells
    assert mine.verdict == "correlated" and mine.rests_on == ("recurrent",) and "It rests on the family recurrent" in mine.sentence
    left = next(without for without in mine.without if without.family == "recurrent")
    assert left.n == 12 and left.value == pytest.approx(stats.pearsonr(values[ILPS][:12], [-v for v in values[TPR][:12]]).statistic)
    assert made.concluded == () and mine.sentence in made.not_concluded
    sound = cell(correlate(long_table(planted()), Correlation()), ILPS, TPR)
    assert sound.rests_on == () and {without.family for without in sound.without} == set(FAMILIES)


def test_models_of_a_family_that_are_alike_raise_the_false_alarms_which_the_report_says() -> None:
    """Families that differ at random, 1,000 studies without any relation between metrics: far more than 5% are 'found'. So the warning is needed."""
    draw = np.random.default_rng(5)
    place = np.unique(FAMILIES, return_inverse=True)[1]
    x, y = (2 * draw.normal(size=(1000, 3))[:, place] + draw.normal(size=(1000, 16)) for _ in range(2))
    assert np.mean(np.abs(found.coefficients("pearson", x, y)) > found.smallest_significant("pearson", 16)) > 0.3
    said = correlate(long_table(planted()), Correlation()).not_concluded
    assert any("models of a family are alike" in sentence for sentence in said)


def test_a_model_without_a_metric_is_left_out_of_its_pairs_and_counted() -> None:
    values = planted()
    values[STEREO][:5] = [None] * 5
    made = correlate(long_table(values), Correlation(methods=("pearson",)))
    mine = cell(made, STEREO, TPR)
    assert (mine.n, mine.missing, cell(made, ILPS, TPR).n, cell(made, ILPS, TPR).missing, made.n_models) == (11, 5, 16, 0, 16)
    assert mine.value == pytest.approx(stats.pearsonr(values[STEREO][5:], [-float(v or 0) for v in values[TPR][5:]]).statistic)
    assert mine.smallest_significant == found.smallest_significant("pearson", 11)


def test_seeds_are_averaged_and_equal_means_are_ties() -> None:
    """0.1 + 0.2 and 0.3 have one mean over seeds: a difference in the last bit is no order."""
    scores = [score(f"m{m}", "ab"[m % 2], ILPS, value, seed) for m in range(6) for seed, value in enumerate([(0.1, 0.2, 0.3), (0.3, 0.1, 0.2)][m % 2])]
    scores += [score(f"m{m}", "ab"[m % 2], TOXICITY, float(m)) for m in range(6)]
    made = correlate(scores, Correlation())
    assert {mine.status for mine in made.cells} == {"undefined"} and all("is the same for all 6 models" in (mine.reason or "") for mine in made.cells)


def test_a_metric_that_has_no_worse_end_is_undefined() -> None:
    scores = [*long_table({ILPS: list(range(16))}), *(score(f"m{m}", FAMILIES[m], TOXICITY, float(m), direction="none") for m in range(16))]
    (mine,) = correlate(scores, Correlation(methods=("kendall",))).cells
    assert mine.status == "undefined" and "has no end that is worse" in mine.sentence


def test_all_metrics_with_each_other_are_each_pair_once() -> None:
    made = correlate(long_table(planted()), Correlation(between="all", methods=("spearman",)))
    assert [(c.first, c.second) for c in made.cells] == [(ILPS, STEREO), (ILPS, TPR), (ILPS, TOXICITY), (STEREO, TPR), (STEREO, TOXICITY), (TPR, TOXICITY)]
    within = correlate(long_table(planted()), Correlation(between=("extrinsic", "extrinsic"), methods=("spearman",)))
    assert [(c.first, c.second) for c in within.cells] == [(TPR, TOXICITY)]


def test_aligned_metrics_are_a_matrix_of_their_own_and_the_change_has_an_interval() -> None:
    values = planted(noise=0.8)
    values[ALIGNED_TPR] = [-float(v or 0) + 0.02 * place for place, v in enumerate(values[ILPS])]
    made = correlate(long_table_of(values), Correlation(methods=("pearson",), alignment=("original", "aligned")))
    assert [(c.first, c.second, c.alignment) for c in made.cells if c.alignment == "aligned"] == [(ILPS, TPR, "aligned"), (STEREO, TPR, "aligned")]
    assert cell(made, ILPS, TPR, alignment="aligned").second_metric == ALIGNED_TPR, "what has no aligned form is not tested twice"
    raised = next(change for change in made.changes if change.first == ILPS)
    assert raised.value == pytest.approx(raised.aligned - raised.original) and raised.low is not None and 0 < raised.low < raised.value
    wide = next(change for change in made.changes if change.first == STEREO)
    assert wide.low is not None and wide.high is not None and wide.low < 0 < wide.high and wide.sentence in made.not_concluded
    assert "alignment raises the correlation" in raised.sentence and raised.sentence in made.concluded
    alone = correlate(long_table_of(values), Correlation(methods=("pearson",), alignment=("aligned",)))
    assert len(alone.cells) == 4 and alone.changes == ()


def long_table_of(values: dict[str, list[float | None]]) -> list:  # type: ignore[type-arg]
    """With the aligned form of TPR."""
    return [line.model_copy(update={"variant": "aligned"}) if line.metric == ALIGNED_TPR else line for line in long_table(values)]


def test_an_unchanged_metric_changes_nothing() -> None:
    """60 studies in which the aligned form is another measurement of as much noise: the paired interval leaves 0 out in few. 5% nominal, at most 9
    of 60 with probability 0.999; the percentile bootstrap of 16 models is somewhat too narrow."""
    found_ = 0
    for seed in range(60):
        values = planted(300 + seed, follows={ILPS: 1.0, TPR: 1.0, ALIGNED_TPR: 1.0}, noise=0.7)
        (change,) = correlate(long_table_of(values), Correlation(methods=("pearson",), alignment=("original", "aligned"))).changes
        found_ += change.low is not None and change.high is not None and not change.low <= 0 <= change.high
    assert found_ <= 9


def test_the_block_refuses_what_it_cannot_do() -> None:
    refused: tuple[dict[str, Any], ...] = (
        {"resamples": 500},
        {"methods": []},
        {"methods": ["pearson", "pearson"]},
        {"margin": 0},
        {"between": ["intrinsic"]},
        {"unknown": 1},
    )
    for wrong in refused:
        with pytest.raises(ValidationError):
            Correlation.model_validate(wrong)
    assert Correlation() == Correlation(between=("intrinsic", "extrinsic"), methods=METHODS, alignment=("original",), margin=0.3, adjust="bh")


def test_a_study_fills_it_from_its_trials_and_keeps_it_in_its_files(tmp_path: Path) -> None:
    values = planted()
    values[STEREO][0] = None
    made = reduce_comparison(*correlated_facts(values), tmp_path)
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_text()) == made and made.correlations is not None
    assert made.correlations.families == {"causal": 6, "masked": 6, "recurrent": 4} and made.correlations.n_models == 16
    mine = cell(made.correlations, STEREO, TPR)
    assert mine.n == 15 and mine.first_groups == "gender"
    with (tmp_path / "correlations.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(made.correlations.cells) == 12
    for line, one in zip(lines, made.correlations.cells, strict=True):
        assert (line["first"], line["method"], float(line["value"]), float(line["p_adjusted"])) == (one.first, one.method, one.value, one.p_adjusted)
    with (tmp_path / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    assert len(scores) == 4 * 16 * 2 and sum(line["value"] == "" for line in scores) == 2
    assert [line["reason"] for line in scores if not line["value"]] == ["the model has no masked tokens"] * 2
    assert compare(correlated_facts(values)[0].__class__("x", "", "a", ()), []).correlations is None


def test_models_that_were_measured_in_another_way_are_left_out() -> None:
    facts, trials = correlated_facts(planted())
    other = [
        trial.__class__(
            trial.arm, trial.seed, tuple(row.model_copy(update={"conditions": {**row.conditions, "protocol": "xyz"}}) for row in trial.rows), "finished"
        )
        if trial.arm.startswith("recurrent")
        else trial
        for trial in trials
    ]
    made = compare(facts, other).correlations
    assert made is not None and made.families == {"causal": 6, "masked": 6}
    assert {line.reason for line in made.scores if line.family == "recurrent"} == {"it was measured in another way than most models' were"}
    mixed = [
        trial.__class__(trial.arm, trial.seed, tuple(row.model_copy(update={"conditions": {"seed": str(trial.seed)}}) for row in trial.rows), "finished")
        for trial in trials
    ]
    unlike = compare(facts, mixed).correlations
    assert unlike is not None and unlike.n_models == 0 and "0 models can show no correlation" in unlike.power
    own = [
        trial.__class__(
            trial.arm, trial.seed, tuple(row.model_copy(update={"conditions": {**row.conditions, "data": trial.arm}}) for row in trial.rows), "finished"
        )
        for trial in trials
    ]
    told = compare(facts, own).correlations
    assert told is not None and told.n_models == 16 and any("The models differ in data of" in sentence for sentence in told.not_concluded)


def test_different_groups_are_named() -> None:
    scores = [line.model_copy(update={"groups": "race" if line.metric == TPR else "gender"}) for line in long_table(planted())]
    said = correlate(scores, Correlation()).not_concluded
    assert any("In 2 of 4 pairs the metrics are about different groups (as ILPS difference: gender, and TPR worst group: race)" in line for line in said)


@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_terminal_says_the_coefficients_and_what_may_be_concluded(width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    study = correlated_study()
    print_comparison(study, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert study.correlations is not None
    assert "Pearson's r over models" in said and "correlated" in said and "concluded: ILPS difference" in said and "[0.65, 0.95]" in said
    assert all(decimals(cell.value) in said for cell in study.correlations.leading() if cell.value is not None)
    assert "smallest significant Pearson's r is 0.497" in " ".join(said.split()) and max(map(len, said.splitlines())) <= width
