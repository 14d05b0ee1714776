"""The comparison as files: JSON for scripts, CSV for tables, one HTML page for people, and its plots one by one."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from tasks.comparison.comparison import Comparison
from tasks.comparison.continuations import Continuations
from tasks.comparison.correlation import Cell, Correlations, Score
from tasks.comparison.drawing import Plot

JSON, CSV, TRIALS, REPORT, PLOTS = "comparison.json", "comparison.csv", "trials.csv", "report.html", "plots"
CORRELATIONS, SCORES, CONTINUATIONS = "correlations.csv", "scores.csv", "continuations.json"


def write_files(comparison: Comparison, folder: Path, written: Sequence[Continuations] = ()) -> None:
    """Write ``comparison.json``, ``comparison.csv``, ``trials.csv``, ``report.html`` and ``plots/*.svg``, the plots of the report.

    A study that correlates metrics over models has ``correlations.csv`` and ``scores.csv`` too, the long table from which they are. One whose models
    wrote texts that are kept has ``continuations.json``: those that the report shows.
    """
    from tasks.comparison.columns import columns
    from tasks.comparison.plots import plots
    from tasks.comparison.report import report

    (folder / JSON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _write_arms(comparison, folder / CSV)
    _write_trials(comparison, folder / TRIALS)
    if comparison.correlations is not None:
        _write_correlations(comparison.correlations, folder / CORRELATIONS)
        _write_scores(comparison.correlations, folder / SCORES)
    if written:
        told = [one.model_dump(mode="json") for one in written]
        (folder / CONTINUATIONS).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    drawn = plots(comparison, columns(comparison))
    (folder / REPORT).write_text(report(comparison, drawn, written), encoding="utf-8")
    _write_plots(drawn, folder / PLOTS)


def rewrite_report(comparison: Comparison, folder: Path) -> None:
    """Write ``report.html`` of a folder again, with what its models wrote where that was kept."""
    from tasks.comparison.columns import columns
    from tasks.comparison.plots import plots
    from tasks.comparison.report import report

    kept = folder / CONTINUATIONS
    written = [Continuations.model_validate(one) for one in json.loads(kept.read_text(encoding="utf-8"))] if kept.exists() else []
    (folder / REPORT).write_text(report(comparison, plots(comparison, columns(comparison)), written), encoding="utf-8")


def _write_plots(drawn: Sequence[Plot], folder: Path) -> None:
    """One file per plot; of two with one name the later gets a number."""
    folder.mkdir()
    for plot in drawn:
        path, number = folder / f"{plot.name}.svg", 2
        while path.exists():
            path, number = folder / f"{plot.name}_{number}.svg", number + 1
        path.write_text(plot.svg, encoding="utf-8")


def _write_arms(comparison: Comparison, path: Path) -> None:
    """One line per arm and metric, with every condition."""
    fields = ("value", "low", "high", "n", "records", "interval", "status", "reason")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("study", "arm", "metric", *fields, "guarantee", "conditions"))
        for arm, values in comparison.arms.items():
            for metric, value in values.items():
                conditions = "; ".join(f"{name}={text}" for name, text in value.conditions.items())
                row = (getattr(value, field) for field in fields)
                writer.writerow((comparison.study, arm, metric, *row, comparison.guarantees[arm], conditions))


def _write_trials(comparison: Comparison, path: Path) -> None:
    """One line per trial and metric; a trial without numbers has one line without."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("study", "arm", "seed", "status", "metric", "value", "mlflow_run"))
        for trial in comparison.trials:
            numbers: list[tuple[str, float | None]] = list(trial.metrics.items()) or [("", None)]
            for metric, value in numbers:
                writer.writerow((comparison.study, trial.arm, trial.seed, trial.status, metric, value, trial.mlflow_run))


def _write_correlations(found: Correlations, path: Path) -> None:
    """One line per pair, alignment and method. ``without`` is what each family's absence leaves: ``bert=0.41; gpt2=``."""
    fields = [name for name in Cell.model_fields if name not in ("without", "rests_on")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*fields, "without", "rests_on"))
        for cell in found.cells:
            without = "; ".join(f"{left.family}={'' if left.value is None else left.value}" for left in cell.without)
            writer.writerow((*(getattr(cell, name) for name in fields), without, "; ".join(cell.rests_on)))


def _write_scores(found: Correlations, path: Path) -> None:
    """One line per metric, model and seed, as measured."""
    fields = list(Score.model_fields)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        writer.writerows([getattr(score, name) for name in fields] for score in found.scores)
