"""The rounds of a federated training: who can be asked, who is, what they send, what becomes of it. It knows no data set and no strategy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.core.errors import UserError
from tasks.core.seeds import numpy_generator
from tasks.core.step import Report
from tasks.federated import resuming
from tasks.federated.aggregation import Aggregation
from tasks.federated.asking import Asking
from tasks.federated.costs import Costs
from tasks.federated.federation import Federation
from tasks.federated.holdings import Held, Holdings
from tasks.federated.jobs import Job, Outcomes, device_seed, make_job
from tasks.federated.local import Layout, Update, Work
from tasks.federated.log import Log, RoundLog
from tasks.federated.scoring import ALL, Score
from tasks.federated.selection import Cohort, View
from tasks.federated.server import State
from tasks.federated.stragglers import asked_size, seconds, speeds, survivors
from tasks.federated.totals import Asked, Total
from tasks.training.memory import peak_memory_mib

CHECKPOINT_SECONDS = 15.0


class FederationDiverged(UserError):
    """The model is no longer a number."""


@dataclass
class Progress:
    """Where a federated training is, besides its tensors.

    Attributes:
        round: rounds done.
        seconds: spent so far, all attempts together.
        peak_memory_mib: highest so far.
        scores: checks so far.
    """

    round: int = 0
    seconds: float = 0.0
    peak_memory_mib: float = 0.0
    scores: list[Score] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """A round before anybody trains.

    Args:
        cohort: who is asked.
        jobs: (m,) what each does, not weighted yet.
        took: (m,) seconds that each takes, simulated.
        answered: (m,) whose update is used.
        weights: (m,) what each update is multiplied with; 0 where it is not used.
    """

    cohort: Cohort
    jobs: tuple[Job, ...]
    took: NDArray[np.float64]
    answered: NDArray[np.bool_]
    weights: NDArray[np.float64]

    @property
    def weighted(self) -> list[Job]:
        """The jobs of those whose update is used, with their weights."""
        return [job.weighted(weight) for job, weight, used in zip(self.jobs, self.weights, self.answered, strict=True) if used]


@dataclass(frozen=True)
class Released:
    """A round before its update is applied.

    Args:
        update: in the order of the trained weights, float64; None where there is nothing to apply.
        outcomes: what devices report beside it.
        total: the sum that it was made of.
    """

    update: list[Tensor] | None
    outcomes: Outcomes
    total: Total


@dataclass
class Rounds:
    """One federated training.

    Args:
        federation: what happens in a round.
        work: the model and the training examples.
        layout: how a cohort is trained.
        holdings: which device holds what, when.
        activity: (N,) records per device over the whole study, which availability follows.
        check: scores after so many rounds, or none.
        every: rounds between checks.
        seed: every draw follows from it and the round.
        folder: where checkpoints go.
        report: progress and series.
        series: name of the series that a check is told as.
        aggregation: what becomes of contributions.
        public_records: the public number of records on all devices, of which shares are taken; None: as many as there are.
    """

    federation: Federation
    work: Work
    layout: Layout
    holdings: Holdings
    activity: NDArray[np.int64]
    check: Callable[[int], list[Score]]
    every: int
    seed: int
    folder: Path
    report: Report
    series: str
    aggregation: Aggregation = field(default_factory=Aggregation)
    public_records: int | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def __post_init__(self) -> None:
        devices = len(self.activity)
        self.log, self.progress = Log(devices), Progress()
        self.server: State = {}
        total = sum(parameter.numel() for parameter in self.work.network.parameters())
        self.costs = Costs(total, self.work.size)
        self._speeds = speeds(devices, self.federation.stragglers.speed_sigma, self.seed)
        self._window, self._held = -1, Held(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64))

    def run(self) -> None:
        """Train from the newest checkpoint, or the beginning, to the end. Raises FederationDiverged."""
        resuming.load(self)
        self.report.rewind(self.progress.round)
        saved = time.monotonic()
        if self.progress.round == 0 and not self.progress.scores:
            self._tell(self.check(0))
        while self.progress.round < self.federation.rounds:
            began = time.monotonic()
            self.round(self.progress.round)
            self.progress.round += 1
            self.progress.seconds += time.monotonic() - began
            self.progress.peak_memory_mib = max(self.progress.peak_memory_mib, peak_memory_mib(self.work.device))
            if self.federation.is_checked(self.progress.round, self.every):
                self._tell(self.check(self.progress.round))
            self._say()
            if time.monotonic() - saved >= self.checkpoint_seconds:
                resuming.save(self)
                saved = time.monotonic()

    def round(self, number: int) -> None:
        """One round: select, train, weigh, aggregate, log."""
        drawn = self.draw(number)
        released = self.release(drawn, number)
        if released.update is not None:
            self._apply(dict(zip(self.work.trained, released.update, strict=True)), number)
        self.enter(drawn, released)

    def draw(self, number: int) -> Drawn:
        """Who is asked in a round, and what each one's update weighs. Nothing is trained."""
        view, block = self.view(number), self.federation
        cohort = block.selection.draw(view, asked_size(block.cohort_size, block.stragglers), numpy_generator(self.seed, "selection", number))
        jobs = tuple(self._job(int(client), number) for client in cohort.clients)
        examples = np.array([job.examples for job in jobs], dtype=np.int64)
        took = seconds(self._speeds[cohort.clients], examples, block.stragglers.seconds_per_example)
        answered = survivors(took, block.cohort_size, block.stragglers)
        weights = np.zeros(len(jobs))
        weights[answered] = self.weights(cohort, answered)
        return Drawn(cohort, jobs, took, answered, weights)

    def release(self, drawn: Drawn, number: int) -> Released:
        """What the server makes of a round, before it is applied."""
        spare = len(drawn.jobs) - self.federation.cohort_size if self.federation.stragglers.over_selection > 1 else 0
        total = self.aggregation.begin(self.work.sent(), Asked(number, tuple(job.client for job in drawn.jobs), max(0, spare)))
        outcomes = self.layout.train(drawn.weighted, total)
        return Released(self.aggregation.end(total, number), outcomes, total)

    def enter(self, drawn: Drawn, released: Released) -> None:
        """Log a round, and what it cost."""
        answered, losses = drawn.answered.copy(), np.full((2, len(drawn.jobs)), np.nan)
        if self.federation.secure_aggregation is None:
            losses[:, answered] = released.outcomes.mean_loss, released.outcomes.rms_loss
        answered[answered] = released.outcomes.answered
        self._spend(drawn.jobs, int(answered.sum()), released.total)
        self.log.add(self._entry(drawn, answered, losses))

    def view(self, number: int) -> View:
        """What the server knows before a round."""
        window = self.federation.timeline.window_of_round(number, self.federation.rounds)
        if window != self._window:
            self._window, self._held = window, self.holdings.at(window)
            self._ready = self._held.has_rows() & (self._held.activity > 0)
            self._records = int(self._held.activity.sum())
        availability = self.federation.availability
        available = self._ready if availability.always_on else availability.available(number, self.activity, self.seed) & self._ready
        if self.federation.separation > 1:
            available = available & self.log.history.rested(number, self.federation.separation)
        asking = Asking(self.work, self._held, self.costs, self.seed, number)
        size, public = self.federation.client.batch_size, self.aggregation.public_size
        return View(number, self._held.activity, available, self.log.history, asking, size, public)

    def _job(self, client: int, number: int) -> Job:
        rows, labelling = self._held.rows(client), self.work.labelling
        usable = rows if labelling is None else labelling.rows(rows, number)
        return make_job(client, usable, self.federation.client, device_seed(self.seed, number, client), self._window, number)

    def weights(self, cohort: Cohort, answered: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What the update of each is multiplied with that is used."""
        expected = None if cohort.expected is None else cohort.expected[answered]
        there = Cohort(cohort.clients[answered], cohort.draws[answered], expected, cohort.origin)
        shares = self._held.activity[there.clients] / max(1, self.public_records or self._records)
        return self.federation.correction.weights(there, shares, self.federation.cohort_size)

    def _apply(self, update: Update, number: int) -> None:
        parameters = self.work.parameters
        with torch.no_grad():
            self.server = self.federation.server.apply(parameters, update, self.server)
            if not all(bool(parameter.isfinite().all()) for parameter in parameters.values()):
                raise FederationDiverged(
                    f"a weight is not a number after round {number + 1}: lower federation.client.optimizer.learning_rate or federation.server.learning_rate"
                )

    def _spend(self, jobs: Sequence[Job], answered: int, total: Total) -> None:
        lengths = self.work.encoded.lengths
        tokens = sum(int(lengths[torch.from_numpy(job.rows)].sum()) * job.examples // max(1, len(job.rows)) for job in jobs)
        self.costs.trained(tokens, len(jobs), answered)
        labelling = self.work.labelling
        if labelling is not None:
            self.costs.labelled(sum(int(lengths[torch.from_numpy(labelling.open(job.rows))].sum()) for job in jobs))
        if total.exchanged is not None:
            self.costs.aggregated(*total.exchanged, answered)
        held = sum(tensor.numel() * tensor.element_size() for tensor in self.server.values())
        self.costs.held(held + self.log.history.size())

    def _entry(self, drawn: Drawn, answered: NDArray[np.bool_], losses: NDArray[np.float64]) -> RoundLog:
        cohort, jobs = drawn.cohort, drawn.jobs
        return RoundLog(
            client=cohort.clients,
            answered=answered,
            draws=cohort.draws,
            expected=np.full(len(jobs), np.nan) if cohort.expected is None else cohort.expected,
            weight=np.where(answered, drawn.weights, 0.0),
            activity=self._held.activity[cohort.clients],
            examples=np.array([job.examples for job in jobs], dtype=np.int64),
            steps=np.array([job.steps for job in jobs], dtype=np.int64),
            mean_loss=losses[0],
            rms_loss=losses[1],
            seconds=drawn.took,
        )

    def _tell(self, scores: list[Score]) -> None:
        self.progress.scores += scores
        for name, value in self.aggregation.kept.items():
            self.report.metric(f"train/{name}", value, self.progress.round)
        for score in scores:
            if score.window == ALL and score.score == score.score:
                self.report.metric(self.series, score.score, score.round)

    def _say(self) -> None:
        latest = next((score.score for score in reversed(self.progress.scores) if score.window == ALL), None)
        note = f"round {self.progress.round} of {self.federation.rounds}"
        self.report.progress(self.progress.round, self.federation.rounds, note if latest is None else f"{note}, {self.series.split('/')[-1]} {latest:.3f}")
