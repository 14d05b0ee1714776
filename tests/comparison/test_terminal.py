"""The comparison on a terminal says what the files say, whatever the names are."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tasks.comparison.cells import basis
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.numbers import with_interval
from tasks.comparison.results import TrialResult
from tasks.comparison.terminal import print_comparison
from tests.comparison.studies import facts, failed, row, trials
from tests.comparison.test_report import study


def printed(comparison: Comparison, width: int = 240) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(comparison, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_grid_points_keep_their_names() -> None:
    """Brackets are no markup: a lost ``[x=1]`` would leave two rows of one name."""
    arms = ["plain[x=1]", "plain[x=2]", "eps[bold]"]
    text = printed(compare(facts(arms), trials({arm: [0.5, 0.6] for arm in arms}, metric="utility/accuracy[red]")))
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("plain", "eps"))] == arms and "accuracy[red]" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 240])
def test_numbers_stay_whole_on_a_narrow_terminal(width: int) -> None:
    metrics = ["utility/accuracy", "utility/macro_f1", "utility/loss", "utility/slot_f1", "cost/train_seconds"]
    rows = {seed: tuple(row(0.5 + 0.1 * seed + index, metric=metric, lowest=0.0) for index, metric in enumerate(metrics)) for seed in range(3)}
    found = [TrialResult(arm, seed, rows[seed], "finished", "run") for arm in ("plain", "a-much-longer-name-of-an-arm") for seed in rows]
    comparison = compare(facts(["plain", "a-much-longer-name-of-an-arm"]), found)
    text = printed(comparison, width)
    assert max(map(len, text.splitlines())) <= width
    for value in comparison.arms["plain"].values():
        whole = with_interval(value.value, value.low, value.high).split(" [")
        assert whole[0] in text and (value is comparison.arms["plain"]["cost/train_seconds"] or whole[1] in text), whole


def test_everything_is_said() -> None:
    found = study(question="Which is [better]?")
    text = printed(found)
    for said in ("Which is [better]?", "the labels are not public [DATA-09]", "privacy guarantee: none", "(confounded)", "baseline: plain"):
        assert said in text
    for line in (*(answer.sentence for answer in found.claims), *(gate.sentence for gate in found.gates)):
        assert line in text
    value = found.arms["other"]["utility/accuracy"]
    assert f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]" in text


def test_a_guarantee_is_said_for_its_arm() -> None:
    found = study().model_copy(update={"guarantees": {"plain": "none", "other": "example-level (3.0, 1e-5)-DP"}})
    assert "guarantee of other: example-level (3.0, 1e-5)-DP" in printed(found)


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ({"plain": [0.5, 0.6, 0.7]}, "[low, high]: 95% t interval over 3 seeds"),
        ({"plain": [0.5, 0.6, 0.7], "other": [0.5, 0.6]}, "[low, high]: 95% t interval over 2 to 3 seeds"),
        ({"plain": [0.5]}, "no intervals"),
    ],
)
def test_what_the_intervals_are_over(arms: dict[str, list[float | None]], words: str) -> None:
    assert basis(compare(facts(list(arms)), trials(arms))) == words
    items = compare(facts(["plain"]), [*trials({"plain": [0.5]}, low=0.4, high=0.6, interval="items"), failed("other", 0)])
    assert basis(items) == "[low, high]: 95% bootstrap interval over test records of the one seed"
