"""A submission and what comes of it: MLflow runs while it goes on, the comparison at its end."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pipelines import narrating
from pipelines.datarules import DataChecks
from pipelines.dataused import data_used
from pipelines.facts import UNKNOWN, commit, study_facts
from pipelines.fanout import Failed
from pipelines.lifetimes import lifetime_rows
from pipelines.planning import Plan, PlannedTrial
from pipelines.registering import Recorded, Registration, best, register_best
from pipelines.studyprivacy import study_rows
from tasks.comparison.comparison import Comparison
from tasks.comparison.results import TrialResult
from tasks.comparison.statistics import FEWEST_SEEDS
from tasks.comparison.steps import reduce_comparison
from tasks.core.fingerprint import library_versions
from tasks.core.graph import Node
from tasks.core.measures import Measures, Row
from tasks.core.measuring import MeasureConfig
from tasks.core.places import home
from tasks.core.rules import Finding
from tasks.fairness.metric import FairnessMetric
from tasks.runtime.execution import SERIES, series_path
from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.datasets import log_data
from tasks.runtime.mlflow_.history import COMPARISON_FOLDER
from tasks.runtime.mlflow_.registry import MODEL_FOLDER
from tasks.runtime.mlflow_.runs import PRODUCED_BY, Recorder, source_tags
from tasks.runtime.mlflow_.streaming import Streams
from tasks.utility.metric import UtilityMetric

Kept = TypeVar("Kept")
RECORDED, FAILURE = "assay.recorded", "failure"
Conclude = Callable[["Submission", Comparison, Sequence[Recorded], Sequence[Failed]], tuple[Comparison, Sequence[Failed]]]
"""(submission, comparison, finished trials, what failed) to the comparison as it is written and what counts as failed."""


@dataclass(frozen=True)
class Outcome:
    """What came of a submission: the comparison, the report's path, the parent run, what failed, and what was registered where that was asked for."""

    comparison: Comparison
    report: Path
    mlflow_run: str
    failed: tuple[Failed, ...]
    reused: int
    made: int
    registered: Registration | None = None

    def as_json(self) -> dict[str, Any]:
        """The comparison for scripts, with where to look."""
        places = {"report": str(self.report), "mlflow_run": self.mlflow_run}
        found = self.registered
        asked = {} if found is None else {"registered": {"version": found.version, "sentence": found.sentence}}
        return {**self.comparison.model_dump(mode="json"), **places, **asked}

    @property
    def exit_code(self) -> int:
        """0 done, 1 a trial or gate failed, or no model could be registered."""
        unregistered = self.registered is not None and self.registered.version is None
        return 1 if self.failed or unregistered or not all(gate.passed for gate in self.comparison.gates) else 0


@dataclass
class Submission:
    """One submission of a plan in MLflow."""

    plan: Plan
    recorder: Recorder
    parent: str
    _runs: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    checks: DataChecks = field(default_factory=lambda: DataChecks((), {}))

    @classmethod
    def begin(cls, plan: Plan, new: bool) -> Submission:
        """Open the parent run: the one of an earlier submission of the same work, or a new one."""
        study = plan.loaded.study
        recorder = Recorder.of(open_client(), study.name)
        versions = {f"version.{name}": text for name, text in library_versions().items()}
        tags = {"kind": study.kind, "git_commit": commit(), **narrating.study_tags(plan), **_source(plan), **versions}
        parent = recorder.open_study(plan.study_key, study.name, narrating.study_before(plan), tags, new)
        submission = cls(plan, recorder, parent)
        with _folder() as folder:
            (folder / "resolved.json").write_text(json.dumps(study.model_dump(mode="json"), indent=1) + "\n")
            (folder / "study.yaml").write_text(plan.loaded.text)
            recorder.log_folder(parent, folder, "study")
        return submission

    def trial_run(self, planned: PlannedTrial) -> str:
        """The child run of a trial."""
        name = planned.name
        if name not in self._runs:
            trial = planned.trial
            found = self.recorder.find_trial(self.parent, trial.arm, trial.seed)
            if found is not None and found.data.tags.get(RECORDED) == planned.key:
                self._ended.add(name)
                self._runs[name] = str(found.info.run_id)
                return self._runs[name]
            tags = {"study_key": self.plan.study_key, "guarantee": trial.study.guarantee(), **_source(self.plan), **_not_measured(trial.study)}
            said = narrating.trial(self.plan, planned, self._labels(planned))
            run = self.recorder.open_trial(self.parent, name, said, trial.arm, trial.seed, tags)
            self.recorder.log_params(run, trial.study.model_dump(mode="json", exclude={"sweep", "claims", "gates", "execution"}))
            self._runs[name] = run
        return self._runs[name]

    def stream(self, planned: PlannedTrial, unmade: Sequence[Node]) -> None:
        """Send what unfinished steps said of their series so far."""
        for node in unmade:
            self._streams.send(self.trial_run(planned), series_path(self.plan.store, node.key))

    def record(self, planned: PlannedTrial) -> None:
        """Record a trial whose work is all there, unless an earlier submission did: series, numbers, data, model."""
        run, name = self.trial_run(planned), planned.name
        if name in self._ended:
            return
        for node in planned.graph.nodes():
            self._streams.send(run, self.plan.store.open(node.key) / SERIES)
        rows, facts = self.rows(planned), self._data_facts(planned)
        self.recorder.log_rows(run, rows)
        log_data(self.recorder.client, run, data_used(facts))
        if self.plan.loaded.study.execution.log_models == "all" and not planned.trial.study.is_champion:  # whose own run has it
            self._log_model(planned)
        labels = self._labels(planned)
        producer = str(self.plan.store.manifest(planned.graph.model.key)["record"].get("producer") or run)
        marks = ", ".join(sorted(label.rule.id for label in labels)) or "none"
        self.recorder.describe(run, narrating.trial(self.plan, planned, labels, rows))
        self.recorder.drop_tag(run, FAILURE)
        self.recorder.set_tags(run, {PRODUCED_BY: producer, "data_digest": facts["digest"], "labels": marks, RECORDED: planned.key})
        self.recorder.finish(run, "FINISHED")
        self._ended.add(name)

    def rows(self, planned: PlannedTrial) -> tuple[Row, ...]:
        """Every number of a trial."""
        return tuple(row for node in planned.graph.measured for row in Measures.load_rows(self.plan.store.open(node.key)))

    def fail(self, planned: PlannedTrial, reasons: Sequence[str]) -> None:
        """Mark a trial as failed, with the reasons."""
        run, why = self.trial_run(planned), "; ".join(dict.fromkeys(reasons))[:500]
        self.recorder.describe(run, narrating.trial(self.plan, planned, self._labels(planned), failure=why))
        self.recorder.set_tags(run, {FAILURE: why})
        self.recorder.finish(run, "FAILED")

    def abandon(self, killed: bool) -> None:
        """End what is open when the submission itself ends early; the same command again goes on from here."""
        for name, run in self._runs.items():
            if name not in self._ended:
                self.recorder.finish(run, "KILLED" if killed else "FAILED")
        self.recorder.finish(self.parent, "KILLED" if killed else "FAILED")

    def end(self, failed: Sequence[Failed], conclude: Conclude | None = None) -> Outcome:
        """Compare the trials, log the comparison to the parent run, register what is asked for, and end the run.

        ``conclude`` is what a kind makes of a comparison before it is written: it may add to it, and forgive what failed.
        """

        def concluded(comparison: Comparison) -> Comparison:
            nonlocal failed
            if conclude is not None:
                comparison, failed = conclude(self, comparison, recorded, failed)
            return comparison

        recorded = [self._recorded(planned) for planned in self.plan.trials if planned.name in self._ended]
        if self.plan.loaded.study.execution.log_models == "best":
            self._log_best(recorded)
        with _folder() as folder:
            facts = study_facts(self.plan, self.checks, [trial.data_digest for trial in recorded], self.parent, self.made)
            comparison = reduce_comparison(facts, [self._result(planned) for planned in self.plan.trials], folder, concluded)
            self.recorder.log_rows(self.parent, (*study_rows(comparison.study_privacy), *lifetime_rows(comparison.lifetimes)))
            kept = self._keep(folder)
            self.recorder.log_folder(self.parent, kept, COMPARISON_FOLDER)
        log_data(self.recorder.client, self.parent, [data for trial in recorded for data in data_used(trial.data)])
        registered = register_best(self.plan, recorded, comparison, self._log_model)
        self.recorder.describe(self.parent, narrating.study_after(self.plan, comparison, registered.sentence if registered else None))
        self.recorder.set_tags(self.parent, narrating.summary_tags(comparison))
        self.recorder.finish(self.parent, "FAILED" if failed else "FINISHED")
        reused = len(self.plan.graph.nodes) - len(self.made) - len(failed)
        return Outcome(comparison, kept / "report.html", self.parent, tuple(failed), reused, len(self.made), registered)

    def _keep(self, folder: Path) -> Path:
        """Where people find the newest report of a study without a tracker: ``mlruns/reports/<study>``."""
        kept = home() / "mlruns" / "reports" / self.plan.loaded.study.name
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, kept)
        return kept

    def _result(self, planned: PlannedTrial) -> TrialResult:
        run = self.trial_run(planned)
        complete = planned.name in self._ended
        return TrialResult(
            arm=planned.trial.arm,
            seed=planned.trial.seed,
            rows=self.rows(planned) if complete else (),
            status="finished" if complete else "failed",
            mlflow_run=run,
            courses=self._courses(planned) if complete else {},
            items=self._items(planned) if complete else {},
            samples=self._by_metric(planned, Measures.load_samples) if complete else {},
        )

    def _courses(self, planned: PlannedTrial) -> dict[str, tuple[tuple[float, float], ...]]:
        folders = (self.plan.store.open(node.key) for node in planned.graph.measured)
        return {name: course for folder in folders for name, course in Measures.load_courses(folder).items()}

    def _items(self, planned: PlannedTrial) -> dict[str, dict[str, list[Any]]]:
        """What metrics said item by item, where few seeds leave the items as all that two models can be compared by."""
        study = planned.trial.study
        if not (study.headlines() or study.has_champion) or len(self.plan.loaded.study.sweep.seeds) >= FEWEST_SEEDS:
            return {}
        return self._by_metric(planned, Measures.load_items)

    def _by_metric(self, planned: PlannedTrial, load: Callable[[Path], Kept]) -> dict[str, Kept]:
        """What a trial's metrics keep beside their numbers, by the name that begins those; of metrics that keep any."""
        measured = [(node.config.measurement, node.key) for node in planned.graph.measured if isinstance(node.config, MeasureConfig)]
        found = {
            metric.metric(prefix): load(self.plan.store.open(key))
            for metric, key in measured
            for prefix, kind in (("utility", UtilityMetric), ("fairness", FairnessMetric))
            if isinstance(metric, kind)
        }
        return {name: kept for name, kept in found.items() if kept}

    def _recorded(self, planned: PlannedTrial) -> Recorded:
        rows = {row.name: row for row in self.rows(planned)}
        return Recorded(planned, self._runs[planned.name], rows, self._data_facts(planned), self._labels(planned))

    def _log_best(self, recorded: Sequence[Recorded]) -> None:
        """Log the model of the best trial, and say which it is; none where numbers under unlike conditions leave none."""
        chosen = best(recorded)
        if not isinstance(chosen, str):
            self._log_model(chosen.trial.planned)
        said = f"none: {chosen}" if isinstance(chosen, str) else f"{chosen.trial.planned.name}, {chosen.words}"
        self.recorder.set_tags(self.parent, {"best_model": said})

    def _log_model(self, planned: PlannedTrial) -> None:
        self.recorder.log_folder(self._runs[planned.name], self.plan.store.open(planned.graph.model.key), MODEL_FOLDER)

    def _labels(self, planned: PlannedTrial) -> tuple[Finding, ...]:
        """The rules that mark a trial's numbers: of its spec, then of its data."""
        of_data = (label.finding for label in self.checks.labels if planned.trial.arm in label.arms)
        return tuple({finding.rule.id: finding for finding in (*planned.trial.labels, *of_data)}.values())

    def _data_facts(self, planned: PlannedTrial) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.plan.store.open(planned.graph.data.key) / "data.json").read_text())
        return facts

    @cached_property
    def _streams(self) -> Streams:
        return Streams(self.recorder)


def _not_measured(study: Any) -> dict[str, str]:
    """A tag for each family that the study leaves out, so that silence is not read as a result."""
    return {name: "not measured (no groups)" if reason == narrating.NO_GROUPS else "not measured" for name, reason in narrating.left_out(study).items()}


def _source(plan: Plan) -> dict[str, str]:
    """What the page shows as a run's source: the study's file and the commit of the code."""
    found = commit()
    return source_tags(plan.loaded.path.name if plan.loaded.path is not None else plan.loaded.study.name, None if found == UNKNOWN else found)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        yield Path(name)
