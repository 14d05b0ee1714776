"""Plots against epsilon: where arms stand, what the axis says, who is left out, and that no name runs over another."""

from __future__ import annotations

import math
import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.comparison.budgets import Budgets, budgets
from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison, Value
from tasks.comparison.drawing import Plot, figure
from tasks.comparison.frontier import frontier_plots
from tasks.comparison.naming import Box, Point, named, overlap, place_names
from tasks.comparison.plots import plots
from tasks.comparison.results import TrialResult
from tests.comparison.private_studies import CONDITIONS, FOUR, TWO, private_facts, private_rows, private_study, private_trials
from tests.comparison.studies import facts, trials

SIX: dict[str, float | None] = {**FOUR, "eps-2": 2.0, "eps-0.5": 0.5}
GRID: dict[str, float | None] = {
    f"{arm}[model.hidden_size={size},training.epochs={epochs}]": epsilon for arm, epsilon in FOUR.items() for size in (64, 128) for epochs in (5, 10)
}
CAPTIONS = [f"{up} against privacy/epsilon" for up in ("utility/accuracy", "fairness/accuracy/difference", "privacy/loss_threshold/auc")]


def drawn(comparison: Comparison) -> list[Plot]:
    return frontier_plots(comparison, columns(comparison))


def texts(plot: Plot) -> list[str]:
    """What is written in a drawing."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", plot.svg)


def test_utility_fairness_and_attack_each_stand_against_epsilon() -> None:
    found = drawn(private_study())
    assert [plot.caption for plot in found] == CAPTIONS
    for plot in found:
        assert {"1", "3", "8", "no privacy", *FOUR} <= set(texts(plot))
        assert not {"inf", "∞", "nan"} & set(texts(plot))
    assert {"AUC of the attack", "blind AUC"} <= set(texts(found[2])) and not {"AUC of the attack", "blind AUC"} & set(texts(found[0]))
    assert "Pareto front of these two numbers, by means" in found[0].note and "the thin line joins" in found[0].note
    assert "reached without the model" in found[2].note


def test_dominated_arms_are_hollow_and_off_the_line() -> None:
    """An arm that spends more for less: its note says so, and one circle more is drawn in white."""
    hollow = "fill: #ffffff; stroke: #1d4ed8"
    results = private_trials(FOUR, seeds=2)
    worse = [TrialResult("eps-9", trial.seed, (*trial.rows[:-4], *private_rows(9.0)), "finished") for trial in results if trial.arm == "eps-1"]
    whole, beaten = drawn(private_study(seeds=2))[0], drawn(compare(private_facts({**FOUR, "eps-9": 9.0}), [*results, *worse]))[0]
    assert "hollow" not in whole.note and hollow not in whole.svg
    assert "hollow arms are dominated" in beaten.note and beaten.svg.count(hollow) == 1


@pytest.mark.parametrize(
    ("arms", "there"),
    [(TWO, True), ({"eps-8": 8.0, "eps-1": 1.0}, True), (SIX, True), (GRID, True), ({"eps-1": 1.0}, False), ({"plain": None, "other": None}, False)],
)
def test_what_makes_a_plot(arms: dict[str, float | None], there: bool) -> None:
    """One private arm beside a plain one, no plain arm, many; but not a single arm, and not without any epsilon."""
    found = drawn(private_study(arms, seeds=2))
    assert [plot.caption for plot in found] == (CAPTIONS if there else [])
    assert all(("no privacy" in texts(plot)) == (None in arms.values()) for plot in found)


def test_an_attack_that_is_plotted_against_epsilon_has_no_second_plot() -> None:
    private, plain = private_study(), private_study({"plain": None, "other": None})
    metric = "privacy/loss_threshold/auc by arm"
    assert metric not in [plot.caption for plot in plots(private, columns(private))]
    assert metric in [plot.caption for plot in plots(plain, columns(plain))]
    assert not [plot.caption for plot in plots(private, columns(private)) if "epsilon by" in plot.caption or "by_group" in plot.caption]


def test_an_epsilon_under_other_conditions_is_left_out_and_named() -> None:
    unlike = private_study(SIX, conditions={"eps-3": {**CONDITIONS, "unit": "user"}})
    for plot in drawn(unlike):
        assert plot.caption.endswith("privacy/epsilon (a)") and "eps-3" not in texts(plot) and "3" not in texts(plot)
        assert "Left out: eps-3 (privacy/epsilon under another unit)." in plot.note
    assert all("eps-3" in texts(plot) and "Left out" not in plot.note for plot in drawn(private_study(SIX)))


def test_an_arm_without_the_number_is_left_out_and_named() -> None:
    results = [trial for trial in private_trials(FOUR) if trial.arm != "eps-3"]
    [plot, *_] = drawn(compare(private_facts(FOUR), results))
    assert "eps-3" not in texts(plot) and "Left out: eps-3 (no privacy/epsilon, no utility/accuracy)." in plot.note


def test_confounded_numbers_are_said_to_be() -> None:
    utility, _, attack = drawn(private_study(doubt="the members were named"))
    assert "Confounded (all arms): the members were named." in attack.note and "Confounded" not in utility.note


def test_an_arm_that_noise_gave_no_guarantee_is_not_called_one_without_privacy() -> None:
    found = private_study()
    odd = found.model_copy(update={"guarantees": {**found.guarantees, "plain": "not a guarantee: batches are not sampled"}})
    assert all("no epsilon" in texts(plot) and "no privacy" not in texts(plot) for plot in drawn(odd))


def order(axis: Budgets) -> list[str]:
    return sorted(axis.x, key=lambda arm: axis.x[arm])


def test_the_axis_is_logarithmic_and_no_privacy_stands_apart() -> None:
    axis = budgets({"plain": math.inf, "a": 1.0, "b": 10.0, "c": 100.0})
    assert axis.x["b"] - axis.x["a"] == pytest.approx(axis.x["c"] - axis.x["b"]) and order(axis) == ["a", "b", "c", "plain"]
    assert axis.divider is not None and axis.x["c"] < axis.divider < axis.x["plain"] < axis.ends[1]
    assert [text for _, text in axis.ticks] == ["1", "10", "100", "no privacy"]
    bounded = budgets({"a": 1.0, "b": 10.0})
    assert bounded.divider is None and [text for _, text in bounded.ticks] == ["1", "10"]


def test_arms_of_one_epsilon_stand_side_by_side() -> None:
    axis = budgets({"a": 2.9996, "b": 2.9991, "c": 8.0, "plain": math.inf, "other": math.inf})
    assert len(set(axis.x.values())) == 5 and axis.beside and not budgets({"a": 1.0, "b": 3.0}).beside
    assert [text for _, text in axis.ticks] == ["3", "8", "no privacy"]


def test_ticks_that_would_run_into_each_other_are_left_out() -> None:
    close = budgets({"a": 1.0, "b": 1.01, "c": 8.0})
    assert [text for _, text in close.ticks] == ["1", "8"]
    assert [text for _, text in budgets({"a": 1.0, "b": 2.0, "c": 8.0}).ticks] == ["1", "2", "8"]


def boxes(points: list[Point], names: dict[str, str]) -> list[Box]:
    """Where the names of points end up."""
    _, axes = figure(7.2, 4.0)
    for point in points:
        axes.plot([point.x], [point.y], "o")
    axes.margins(0.18)
    extents = [name.get_window_extent() for name in place_names(axes, points, names)]
    return [(extent.x0, extent.y0, extent.x1, extent.y1) for extent in extents]


def collisions(found: list[Box]) -> int:
    return sum(overlap(one, other) > 0 for one, other in combinations(found, 2))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.7, 0.71, 0.72, 0.8]), st.sampled_from([0.0, 0.02, 0.1])), min_size=2, max_size=6)
)
def test_names_do_not_run_over_each_other(places: list[tuple[float, float, float]]) -> None:
    """Up to six arms, also where several are at the same place."""
    arms = [f"arm-with-name-{index}" for index in range(len(places))]
    points = [Point(arm, x, Value(value=y, low=y - wide, high=y + wide)) for arm, (x, y, wide) in zip(arms, places, strict=True)]
    assert collisions(boxes(points, {arm: arm for arm in arms})) == 0


def test_names_at_one_offset_would_run_over_each_other() -> None:
    """The control: two arms of nearly one utility, each with its name above its point."""
    made, axes = figure(7.2, 4.0)
    names = [axes.annotate("arm-with-name", (0.5, y), (0, 7), textcoords="offset points") for y in (0.7, 0.701)]
    made.draw_without_rendering()
    extents = [name.get_window_extent() for name in names]
    assert collisions([(extent.x0, extent.y0, extent.x1, extent.y1) for extent in extents]) == 1


def test_long_names_and_many_are_letters() -> None:
    short = compare(facts(["plain", "eps-8"]), trials({"plain": [0.5], "eps-8": [0.6]}))
    assert named(short) == {"plain": "plain", "eps-8": "eps-8"}
    many = compare(facts(list(GRID)), trials({arm: [0.5] for arm in GRID}))
    assert list(named(many).values()) == list("ABCDEFGHIJKLMNOP")
    for plot in drawn(private_study(GRID, seeds=2)):
        assert set("ABCDEFGHIJKLMNOP") <= set(texts(plot)) and "Points of one epsilon stand side by side" in plot.note
