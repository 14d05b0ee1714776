"""The history of a retraining audit: what is drawn, and what the report and the terminal say of each night."""

from __future__ import annotations

import re

from rich.console import Console

from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.history import NightLine
from tasks.comparison.nightly import COLOURS, night_plots, panels
from tasks.comparison.pareto import pareto
from tasks.comparison.plots import plots
from tasks.comparison.terminal import print_comparison
from tests.comparison.studies import METRIC, facts, reported, trials

AUC, GAP = "privacy/loss_threshold/auc", "fairness/accuracy/difference"


def line(number: int, decision: str, accuracy: float | None, why: str, **numbers: float) -> NightLine:
    measured = {} if accuracy is None else {METRIC: accuracy, AUC: 0.55, GAP: 0.1}
    told = {"privacy/epsilon_lifetime": 2.0 + number, "privacy/budget": 8.0, **measured, **numbers}
    at, snapshot = f"2026-11-0{number}T03:00:00+00:00", f"day-{number}.csv"
    return NightLine(number=number, at=at, snapshot=snapshot, decision=decision, reasons=(why,), numbers=told, version=1)


NIGHTS = (
    line(1, "promoted", 0.8, "all gates passed"),
    line(2, "refused", 0.6, "a loss of 0.2 <b>bold</b>"),
    line(3, "skipped", None, "no new data"),
    line(4, "failed", None, "out of memory"),
)


def compared(nights: tuple[NightLine, ...] = NIGHTS) -> Comparison:
    found = compare(facts(["candidate"], gates=[{"at_least": 0.7}]), trials({"candidate": [0.8]}))
    return found.model_copy(update={"nights": nights})


def test_a_study_without_nights_draws_and_says_nothing_of_them() -> None:
    plain = compared(())
    assert night_plots(plain) == [] and "Nights" not in reported(plain)


def test_each_family_has_a_panel_and_gates_come_first() -> None:
    assert panels(compared()) == [AUC, GAP, METRIC]
    told = compared((line(1, "promoted", 0.8, "so", **{"privacy/other/auc": 0.5, "utility/loss": 1.0, "cost/train_seconds": 3.0}),))
    assert panels(told) == [AUC, GAP, METRIC]


def test_every_night_is_drawn_in_the_colour_of_its_decision() -> None:
    [plot] = night_plots(compared())
    drawn = plot.svg.lower()
    for decision in ("promoted", "refused", "skipped", "failed"):
        assert COLOURS[decision] in drawn and decision in drawn
    assert plot in plots(compared(), columns(compared()))
    many = compared(tuple(line(1 + place % 9, "promoted", 0.8, "so") for place in range(80)))
    assert len(night_plots(many)) == 1


def test_the_report_tells_the_story_and_escapes_it() -> None:
    page = reported(compared())
    assert page.index("Night 4: failed") < page.index("<h2>Nights</h2>") < page.index("<h2>Numbers</h2>")
    rows = re.findall(r"<tr><td>(\d+)<br>", page)
    assert rows == ["4", "3", "2", "1"] and "&lt;b&gt;bold" in page and "<b>bold" not in page
    assert "not covered by it" in page


def test_the_terminal_shows_the_nights() -> None:
    console = Console(width=140, record=True)
    print_comparison(compared(), console)
    said = console.export_text()
    for night in NIGHTS:
        assert night.snapshot in said and night.decision in said and night.reasons[0] in said


def test_a_champion_without_an_epsilon_of_this_night_is_not_taken_for_one_without_privacy() -> None:
    found = compare(facts(["champion", "candidate"]), trials({"champion": [0.8], "candidate": [0.7]}))
    epsilon = found.arms["candidate"][METRIC].model_copy(update={"value": 3.0, "direction": "lower"})
    told = found.model_copy(update={"arms": {**found.arms, "candidate": {**found.arms["candidate"], "privacy/epsilon": epsilon}}})
    private = told.model_copy(update={"guarantees": dict.fromkeys(told.arms, "example-level (3, 1e-05)-DP, add/remove")})
    assert pareto(told, columns(told)) is not None and pareto(private, columns(private)) is None
