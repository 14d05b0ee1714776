"""The comparison as files: nothing is lost in JSON or CSV, whatever the names are."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tasks.comparison.comparison import Comparison
from tasks.comparison.files import write_files
from tasks.comparison.numbers import number, p_value, signed, with_interval
from tasks.comparison.results import TrialResult
from tasks.comparison.steps import reduce_comparison
from tests.comparison.private_studies import private_study
from tests.comparison.studies import facts, failed, row, trials

NASTY = 'a,"b"\nc; é=1'


@pytest.fixture
def found(tmp_path: Path) -> Comparison:
    """Two arms, one with a name that wants quoting; one trial failed; one number is missing."""
    claims = [{"arm": NASTY, "versus": "plain", "better": True}]
    results = [*trials({"plain": [0.1 + 0.2, 0.7], NASTY: [0.8, None]}), failed("plain", 2)]
    results.append(TrialResult("plain", 3, (row(1e-7), row(0.5, "cost/train_seconds", direction="lower")), "finished", "run-3"))
    return reduce_comparison(facts(["plain", NASTY], claims, [{"at_least": 0.5}], about={"torch": "2"}), results, tmp_path)


def test_json_comes_back_as_it_was(found: Comparison, tmp_path: Path) -> None:
    assert Comparison.model_validate_json((tmp_path / "comparison.json").read_text(encoding="utf-8")) == found


def test_every_number_of_an_arm_stands_in_the_table(found: Comparison, tmp_path: Path) -> None:
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {(line["arm"], line["metric"]) for line in lines} == {(arm, metric) for arm, values in found.arms.items() for metric in values}
    for line in lines:
        value = found.arms[line["arm"]][line["metric"]]
        for name in ("value", "low", "high"):
            number_ = getattr(value, name)
            assert line[name] == "" if number_ is None else float(line[name]) == number_
        assert (line["status"], line["reason"], line["conditions"]) == (value.status, value.reason or "", "data=d1")
        assert line["guarantee"] == "none" and line["study"] == "toy"


def test_every_trial_stands_in_the_table_also_one_that_failed(found: Comparison, tmp_path: Path) -> None:
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {(line["arm"], int(line["seed"])) for line in lines} == {(trial.arm, trial.seed) for trial in found.trials}
    for trial in found.trials:
        mine = [line for line in lines if line["arm"] == trial.arm and int(line["seed"]) == trial.seed]
        assert {line["metric"]: float(line["value"]) for line in mine if line["metric"]} == trial.metrics
        assert {(line["status"], line["mlflow_run"]) for line in mine} == {(trial.status, trial.mlflow_run)}
    [lost] = [line for line in lines if line["status"] == "failed"]
    assert (lost["metric"], lost["value"]) == ("", "")


def test_files_do_not_follow_the_locale(found: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose text is ASCII by default writes the same bytes."""
    (tmp_path / "again").mkdir()
    monkeypatch.setattr(io, "text_encoding", lambda encoding, level=2: encoding or "ascii")
    write_files(found, tmp_path / "again")
    for name in ("comparison.json", "comparison.csv", "trials.csv", "report.html"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_every_plot_of_the_report_is_a_file_that_a_browser_shows(tmp_path: Path) -> None:
    comparison = private_study()
    write_files(comparison, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "plots").iterdir()}
    against = {f"{name}_against_privacy_epsilon.svg" for name in ("utility_accuracy", "fairness_accuracy_difference", "privacy_loss_threshold_auc")}
    assert {*against, "utility_loss_by_arm.svg", "utility_accuracy_against_cost_train_seconds.svg"} <= files.keys()
    assert len(files) == page.count("<svg") and all(text in page for text in files.values()), "a file is not what the report shows"
    for text in files.values():
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and float(root.attrib["width"].removesuffix("pt")) > 100
        assert re.search(r'<path d="M 0 [^"]*" style="fill: #ffffff', text), "it would be drawn on whatever the page has"


def test_two_plots_of_one_name_are_two_files(tmp_path: Path) -> None:
    """Metrics whose names differ in nothing that a file's name may hold; a name that could leave the folder does not."""
    metrics = ("utility/a_b", "utility/a b", "utility/../../b")
    results = [TrialResult(arm, 0, tuple(row(0.5, metric) for metric in metrics), "finished") for arm in ("x", "y")]
    reduce_comparison(facts(["x", "y"]), results, tmp_path)
    assert len(list((tmp_path / "plots").glob("*.svg"))) == 3 and not list(tmp_path.parent.glob("*.svg"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (0.9134, "0.913"), (12.44, "12.4"), (1529.6, "1,530"), (2.1e-7, "2.1e-07"), (-0.5, "-0.500"), (float("-0"), "0")],
)
def test_a_number_has_the_digits_that_it_carries(value: float | None, text: str) -> None:
    assert number(value) == text


def test_signs_intervals_and_p() -> None:
    assert (signed(0.1), signed(-0.1), signed(0.0), signed(None)) == ("+0.100", "-0.100", "0", "-")
    assert with_interval(0.9, 0.8, 0.95) == "0.900 [0.800, 0.950]" and with_interval(0.9, None, None) == with_interval(0.9, 0.9, 0.9) == "0.900"
    assert (p_value(0.0004), p_value(0.0126)) == ("< 0.001", "= 0.013")
