"""The correlation pictures: everything they show is text or form, never colour alone, and the report has them with their words."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tasks.comparison.agreement import decimals
from tasks.comparison.comparison import Comparison
from tasks.comparison.correlation import Correlation
from tasks.comparison.files import write_files
from tasks.comparison.heatmap import colours, correlation_plots, luminance
from tests.comparison.correlated_studies import ALIGNED_TPR, FAMILIES, ILPS, STEREO, TPR, correlated_study, planted
from tests.comparison.studies import facts, reported, trials
from tests.comparison.test_report import SCRIPT, Page

BBQ = "fairness/bbq/difference"


def study() -> Comparison:
    """A sound pair, pairs that cannot be told, one refused, one undefined, and an aligned form."""
    values = planted(4)
    values[ALIGNED_TPR] = [-float(v or 0) + 0.02 * place for place, v in enumerate(values[ILPS])]
    values[BBQ] = [None] * 13 + [0.1, 0.2, 0.3]
    values["fairness/constant/difference"] = [0.5] * 16
    return correlated_study(values, Correlation(alignment=("original", "aligned")))


def texts(svg: str) -> list[str]:
    return [re.sub("<[^>]+>", "", text).strip() for text in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)]


def words(page: str) -> str:
    return re.sub(r"\s+", " ", Page(page).text)


def test_each_cell_has_its_number_and_its_models_in_text() -> None:
    made = study()
    assert made.correlations is not None
    matrix, _ = correlation_plots(made)
    said = texts(matrix.svg)
    for cell in made.correlations.leading():
        if cell.value is not None:
            star = "*" if cell.p_adjusted is not None and cell.p_adjusted <= 0.05 else ""
            assert f"{decimals(cell.value)}{star}" in said
        assert f"n = {cell.n}" in said
    joined = " ".join(said)
    for axis in ("intrinsic metrics (of the representation)", "extrinsic metrics", "Pearson's r, original metrics", "Pearson's r, aligned metrics"):
        assert axis in said, axis
    assert "ILPS difference" in said and "StereoSet difference" in joined and "TPR worst group" in joined
    assert said.count("refused") == 2 and said.count("undefined") == 2 and "as in" in said
    assert matrix.caption == "Pearson's r over 16 models, extrinsic by intrinsic metrics"


def test_form_says_what_colour_says() -> None:
    """An interval over 0 is hatched, a finding is starred and framed, a refused cell is dashed; without such cells there is none of these."""
    matrix, _ = correlation_plots(study())
    assert 'id="h' in matrix.svg and "stroke-dasharray" in matrix.svg and "*" in "".join(texts(matrix.svg))
    sure, _ = correlation_plots(correlated_study(planted(4, follows={ILPS: 1.0, TPR: 1.0})))
    assert 'id="h' not in sure.svg and "stroke-dasharray" not in sure.svg


@pytest.mark.parametrize("value", [-1.0, -0.7, -0.55, -0.3, 0.0, 0.2, 0.45, 0.6, 0.8, 1.0])
def test_numbers_stand_out_on_every_colour(value: float) -> None:
    """WCAG 2 asks for a contrast of 4.5."""
    face, ink = (luminance([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) for colour in colours(value))
    assert (max(face, ink) + 0.05) / (min(face, ink) + 0.05) >= 4.5


def test_the_forest_has_every_pair_and_the_power_line_on_both_sides() -> None:
    made = study()
    assert made.correlations is not None
    _, forest = correlation_plots(made)
    said = texts(forest.svg)
    assert "ILPS difference and TPR worst group, n = 16" in said and "ILPS difference and TPR worst group, aligned, n = 16" in said
    assert "Pearson's r [95%]; dashed: the smallest significant" in said and "0.50" in said
    assert said.count("refused: too few models or families") == 2 and said.count("no number: undefined") == 2
    dashed = re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL ([\d.]+) [^"]*"[^>]*stroke-dasharray', forest.svg)
    upright = [float(x) for x, other in dashed if x == other]
    told = sum(cell.value is not None for cell in made.correlations.leading())
    assert len(upright) == 2 * told and len(set(upright)) == 2, "a line on either side of each row"


def test_of_all_metrics_the_picture_is_a_triangle() -> None:
    matrix, _ = correlation_plots(correlated_study(spec=Correlation(between="all", methods=("kendall",))))
    assert sum(text.startswith("n = ") for text in texts(matrix.svg)) == 6 and "all metrics" in texts(matrix.svg)
    assert matrix.caption.startswith("Kendall's tau over 16 models, all by all")


def test_a_study_that_asks_for_nothing_draws_nothing() -> None:
    from tasks.comparison.compare import compare

    plain = compare(facts(["plain", "other"]), trials({"plain": [0.6], "other": [0.9]}))
    assert correlation_plots(plain) == [] and "Do the metrics agree" not in reported(plain)
    one_side = correlated_study(planted(4, follows={ILPS: 1.0}))
    assert correlation_plots(one_side) == [] and "Do the metrics agree" in reported(one_side)


def test_the_report_says_what_can_and_what_cannot_be_concluded(tmp_path: Path) -> None:
    made = study()
    assert made.correlations is not None
    write_files(made, tmp_path)
    page = (tmp_path / "report.html").read_text()
    said = words(page)
    assert list(Page(page).loads()) == []
    for sentence in (*made.correlations.concluded, *made.correlations.not_concluded, made.correlations.power):
        assert sentence in said, sentence
    assert "16 models of 3 families: causal 6, masked 6, recurrent 4." in said and "What alignment changes" in said
    for cell in made.correlations.cells:
        if cell.value is not None and cell.low is not None and cell.high is not None:
            assert f"{decimals(cell.value)} [{decimals(cell.low)}, {decimals(cell.high)}]" in said
    for head in ("Pearson's r", "Spearman's rho", "Kendall's tau", "bootstrap", "p (corrected)", "without one family"):
        assert head in said
    files = [path.read_text() for path in (tmp_path / "plots").iterdir()]
    assert page.count("<svg") == len(files) and all(text in page for text in files)
    for text in files:
        assert ElementTree.fromstring(text).tag.endswith("svg")


def test_a_refused_study_has_a_page_that_says_so() -> None:
    few = FAMILIES[4:8]
    said = words(reported(correlated_study(families=few)))
    assert "4 models can show no correlation" in said and "insufficient evidence: 4 models have both metrics" in said
    assert "Whether metrics agree over the models cannot be told" in said and "Nothing: no pair of metrics is shown to be correlated" in said


def test_names_are_escaped() -> None:
    """A script in a metric, a family or a group is shown as text."""
    metric, families = f"fairness/{SCRIPT}/difference", tuple(SCRIPT if family == "causal" else family for family in FAMILIES)
    values = planted(4, families)
    values[metric] = list(values[STEREO])
    page = reported(correlated_study(values, families=families, conditions={"groups": SCRIPT}))
    assert list(Page(page).loads()) == [] and SCRIPT in Page(page).text
