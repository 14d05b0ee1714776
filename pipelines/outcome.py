"""A submission and what comes of it: MLflow runs while it goes on, the comparison at its end."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.datarules import DataChecks, labels
from pipelines.fanout import Failed
from pipelines.planning import Plan, PlannedTrial
from pipelines.studyprivacy import study_privacy, study_rows
from specs.sweep import Trial
from tasks.comparison.comparison import Comparison
from tasks.comparison.results import ArmFacts, StudyFacts, TrialResult
from tasks.comparison.steps import reduce_comparison
from tasks.core.fingerprint import library_versions
from tasks.core.graph import Node
from tasks.core.measures import Measures, Row
from tasks.core.places import home
from tasks.runtime.execution import SERIES, series_path
from tasks.runtime.mlflow_.client import open_client
from tasks.runtime.mlflow_.history import COMPARISON_FOLDER
from tasks.runtime.mlflow_.registry import MODEL_FOLDER
from tasks.runtime.mlflow_.runs import PRODUCED_BY, Recorder, read_series

RECORDED = "assay.recorded"


@dataclass(frozen=True)
class Outcome:
    """What came of a submission: the comparison, the report's path, the parent run, and what failed."""

    comparison: Comparison
    report: Path
    mlflow_run: str
    failed: tuple[Failed, ...]
    reused: int
    made: int

    def as_json(self) -> dict[str, Any]:
        """The comparison for scripts, with where to look."""
        return {**self.comparison.model_dump(mode="json"), "report": str(self.report), "mlflow_run": self.mlflow_run}

    @property
    def exit_code(self) -> int:
        """0 done, 1 a trial or gate failed."""
        return 1 if self.failed or not all(gate.passed for gate in self.comparison.gates) else 0


@dataclass
class Submission:
    """One submission of a plan in MLflow."""

    plan: Plan
    recorder: Recorder
    parent: str
    _runs: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _last_steps: dict[tuple[str, str], int] = field(default_factory=dict)
    made: int = 0
    checks: DataChecks = field(default_factory=lambda: DataChecks((), {}))

    @classmethod
    def begin(cls, plan: Plan, new: bool) -> Submission:
        """Open the parent run: the one of an earlier submission of the same work, or a new one."""
        study = plan.loaded.study
        recorder = Recorder.of(open_client(), study.name)
        tags = {"kind": study.kind, "git_commit": _commit(), **{f"version.{name}": text for name, text in library_versions().items()}}
        parent = recorder.open_study(plan.study_key, study.name, study.question, tags, new)
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
            tags = {"study_key": self.plan.study_key, "guarantee": trial.study.guarantee(), **_not_measured(trial.study)}
            run = self.recorder.open_trial(self.parent, name, _describe(planned), trial.arm, trial.seed, tags)
            self.recorder.log_params(run, trial.study.model_dump(mode="json", exclude={"sweep", "claims", "gates", "execution"}))
            self._runs[name] = run
        return self._runs[name]

    def stream(self, planned: PlannedTrial, unmade: Sequence[Node]) -> None:
        """Send what unfinished steps said of their series so far."""
        for node in unmade:
            self._send_series(self.trial_run(planned), series_path(self.plan.store, node.key, made=False))

    def record(self, planned: PlannedTrial) -> None:
        """Record a trial whose work is all there, unless an earlier submission did: series, numbers, model."""
        run = self.trial_run(planned)
        if planned.name in self._ended:
            return
        for node in planned.graph.nodes():
            path = self.plan.store.open(node.key) / SERIES
            if path.exists():
                self._send_series(run, path)
        self.recorder.log_rows(run, self.rows(planned))
        if self.plan.loaded.study.execution.log_models == "all":
            self.recorder.log_folder(run, self.plan.store.open(planned.graph.model.key), MODEL_FOLDER)
        producer = str(self.plan.store.manifest(planned.graph.model.key)["record"].get("producer") or run)
        tags = {PRODUCED_BY: producer, "data_digest": self._data_digest(planned), "labels": self._labels_of(planned) or "none", RECORDED: planned.key}
        self.recorder.set_tags(run, tags)
        self.recorder.finish(run, "FINISHED")
        self._ended.add(planned.name)

    def _labels_of(self, planned: PlannedTrial) -> str:
        """The ids of the rules that mark a trial's numbers."""
        data = (label.finding for label in self.checks.labels if planned.trial.arm in label.arms)
        return ", ".join(sorted({finding.rule.id for finding in (*planned.trial.labels, *data)}))

    def rows(self, planned: PlannedTrial) -> tuple[Row, ...]:
        """Every number of a trial."""
        return tuple(row for node in planned.graph.measured for row in Measures.load_rows(self.plan.store.open(node.key)))

    def fail(self, planned: PlannedTrial, reasons: Sequence[str]) -> None:
        """Mark a trial as failed, with the reasons."""
        run = self.trial_run(planned)
        self.recorder.set_tags(run, {"failure": "; ".join(dict.fromkeys(reasons))[:500]})
        self.recorder.finish(run, "FAILED")

    def abandon(self, killed: bool) -> None:
        """End what is open when the submission itself ends early; the same command again goes on from here."""
        for name, run in self._runs.items():
            if name not in self._ended:
                self.recorder.finish(run, "KILLED" if killed else "FAILED")
        self.recorder.finish(self.parent, "KILLED" if killed else "FAILED")

    def end(self, failed: Sequence[Failed]) -> Outcome:
        """Compare the trials, log the comparison to the parent run and end it."""
        if self.plan.loaded.study.execution.log_models == "best":
            self._log_best()
        with _folder() as folder:
            comparison = reduce_comparison(self._facts(), [self._result(planned) for planned in self.plan.trials], folder)
            self.recorder.log_rows(self.parent, study_rows(comparison.study_privacy))
            kept = self._keep(folder)
            self.recorder.log_folder(self.parent, kept, COMPARISON_FOLDER)
        self.recorder.finish(self.parent, "FAILED" if failed else "FINISHED")
        reused = len(self.plan.graph.nodes) - self.made - len(failed)
        return Outcome(comparison, kept / "report.html", self.parent, tuple(failed), reused, self.made)

    def _keep(self, folder: Path) -> Path:
        """Where people find the newest report of a study without a tracker: ``mlruns/reports/<study>``."""
        kept = home() / "mlruns" / "reports" / self.plan.loaded.study.name
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, kept)
        return kept

    def _facts(self) -> StudyFacts:
        study = self.plan.loaded.study
        return StudyFacts(
            name=study.name,
            question=study.question,
            baseline=study.sweep.baseline_arm,
            arms=tuple(dict.fromkeys(_arm_facts(planned.trial) for planned in self.plan.trials)),
            claims=study.claims,
            gates=study.gates,
            labels=labels(self.plan, self.checks),
            about=self._about(),
            study_privacy=study_privacy(self.plan),
        )

    def _about(self) -> dict[str, str]:
        """What all numbers share: the data, the spec, the code and the libraries."""
        digests = sorted({self._data_digest(planned) for planned in self.plan.trials if planned.name in self._ended})
        versions = {f"version of {name}": text for name, text in library_versions().items()}
        trials = {f"trials of {planned.trial.arm}": planned.trial.study.summary() for planned in self.plan.trials}
        return {
            **trials,
            "data digest": ", ".join(digests),
            "study key": self.plan.study_key,
            "MLflow run of the study": self.parent,
            "git commit": _commit(),
            **versions,
        }

    def _result(self, planned: PlannedTrial) -> TrialResult:
        run = self.trial_run(planned)
        complete = planned.name in self._ended
        return TrialResult(
            arm=planned.trial.arm,
            seed=planned.trial.seed,
            rows=self.rows(planned) if complete else (),
            status="finished" if complete else "failed",
            mlflow_run=run,
        )

    def _log_best(self) -> None:
        """Log the model of the best trial by the first metric that has a direction."""
        scored = [(row, planned) for planned in self.plan.trials if planned.name in self._ended for row in self._leading(planned)]
        if scored:
            _, planned = max(scored, key=lambda pair: pair[0])
            self.recorder.log_folder(self._runs[planned.name], self.plan.store.open(planned.graph.model.key), MODEL_FOLDER)

    def _leading(self, planned: PlannedTrial) -> Iterator[float]:
        rows = [row for row in self.rows(planned) if row.name.startswith("utility/") and row.value is not None and row.direction != "none"]
        for row in rows[:1]:
            yield (row.value or 0.0) * (1 if row.direction == "higher" else -1)

    def _data_digest(self, planned: PlannedTrial) -> str:
        facts = json.loads((self.plan.store.open(planned.graph.data.key) / "data.json").read_text())
        return str(facts["digest"])

    def _send_series(self, run: str, path: Path) -> None:
        """Points of a series file that the run does not have yet: those past its last step."""
        fresh = [point for point in read_series(path) if point.step > self._last(run, point.name)]
        self.recorder.log_series(run, fresh)
        for point in fresh:
            self._last_steps[(run, point.name)] = max(point.step, self._last(run, point.name))

    def _last(self, run: str, name: str) -> int:
        if (run, name) not in self._last_steps:
            self._last_steps[(run, name)] = self.recorder.last_step(run, name)
        return self._last_steps[(run, name)]


def _not_measured(study: Any) -> dict[str, str]:
    """A tag for each family that the study leaves out, so that silence is not read as a result."""
    no_groups = not getattr(getattr(study, "data", None), "has_groups", True)
    families = {"attacks": "not measured", "fairness": "not measured (no groups)" if no_groups else "not measured"}
    return {name: text for name, text in families.items() if not getattr(study, name, ())}


def _arm_facts(trial: Trial) -> ArmFacts:
    return ArmFacts(trial.arm, trial.base_arm, trial.arm.removeprefix(trial.base_arm), trial.study.guarantee())


def _describe(planned: PlannedTrial) -> str:
    study = planned.trial.study
    return f"Arm **{planned.trial.arm}**, seed {planned.trial.seed} of study {study.name}: {study.summary()}. Guarantee: {study.guarantee()}."


def _commit() -> str:
    """The git commit of the code, or 'unknown' outside a checkout."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        yield Path(name)
