"""Plots of what changes within an arm: over rounds, and over tenths of the devices."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.console import Console

from tasks.comparison.columns import columns, split_group
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.courses import course_plots, decile_plots
from tasks.comparison.terminal import print_comparison
from tests.comparison.studies import METRIC, facts, reported, row, trials

COURSES = {"plain": ((0.0, 0.1), (10.0, 0.5), (20.0, 0.6)), "other": ((0.0, 0.1), (5.0, 0.2), (10.0, 0.7), (20.0, 0.9))}


def study(seeds: int = 2) -> Comparison:
    made = [
        replace(
            trial,
            courses={METRIC: COURSES[trial.arm]},
            rows=(*trial.rows, *(row(0.5 + 0.01 * number, f"{METRIC}/decile_{number}", n=40) for number in range(1, 11) if number != 2)),
        )
        for trial in trials({"plain": [0.6] * seeds, "other": [0.9] * seeds})
    ]
    return compare(facts(["plain", "other"]), made)


def texts(svg: str) -> list[str]:
    return [re.sub("<[^>]+>", "", text).strip() for text in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)]


def test_an_arm_is_a_line_over_rounds_and_its_seeds_are_faint() -> None:
    (plot,) = course_plots(study())
    assert plot.caption == f"{METRIC} by round" and {"plain", "other", "round", "accuracy (higher is better)"} <= set(texts(plot.svg))
    faint = [path for path in re.findall(r"<path[^>]*>", plot.svg) if "stroke-opacity: 0.25" in path]
    assert len(faint) == 4
    (alone,) = course_plots(study(seeds=1))
    assert "stroke-opacity: 0.25" not in alone.svg


def test_a_study_without_courses_draws_none() -> None:
    plain = compare(facts(["plain", "other"]), trials({"plain": [0.6], "other": [0.9]}))
    assert course_plots(plain) == [] and decile_plots(plain, columns(plain)) == []


def test_deciles_are_one_plot_and_one_table_and_no_columns() -> None:
    found = study()
    (plot,) = decile_plots(found, columns(found))
    assert plot.caption == f"{METRIC} by activity" and "tenth of the devices by activity, the most active last" in texts(plot.svg)
    page = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", reported(found).split("<svg")[0]))
    assert "accuracy by activity: tenths of the devices, the most active last" in page and "decile 10" in page
    assert "accuracy decile 10" not in page, "a tenth is a line of a table of its own, no column beside the whole"


def test_courses_are_kept_in_the_comparison_that_is_written() -> None:
    found = study()
    assert Comparison.model_validate_json(found.model_dump_json()) == found
    assert found.trials[0].courses == {METRIC: COURSES["plain"]}


def test_names_of_groups_are_split_off() -> None:
    assert split_group("utility/loss/decile_10") == ("utility/loss", "decile 10")
    assert split_group("fairness/accuracy/by_group/north") == ("fairness/accuracy", "north")
    assert split_group("utility/loss/device_worst_decile") == ("utility/loss/device_worst_decile", "")


def test_a_terminal_shows_no_tenths() -> None:
    console = Console(file=io.StringIO(), width=200)
    print_comparison(study(), console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "accuracy" in said and "decile" not in said
