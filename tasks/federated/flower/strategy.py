"""The strategy: our cohorts, drawn by our seeds, addressed by partition; our sum, in the order of partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from tasks.core.errors import UserError
from tasks.federated.flower.fleet import Fleet, message, places_by_partition
from tasks.federated.flower.messages import answers_in, order
from tasks.federated.flower.node import Ask
from tasks.federated.jobs import Job, Outcomes
from tasks.federated.totals import Total


class CohortStrategy(Strategy):
    """Asks the devices of the jobs it is given, and sums what they contribute.

    Flower's own strategies draw nodes from Python's global generator, weigh by what devices report and add in the order of arrival. Here who is
    asked and what weight it has was decided before, and devices are summed ascending. One message goes to each node, for all its devices.

    Args:
        fleet: the nodes.
        told: the study, as nodes read it.
    """

    def __init__(self, fleet: Fleet, told: str) -> None:
        self._fleet, self._told = fleet, told
        self._jobs: Sequence[Job] = ()
        self._total: Total | None = None

    def begin(self, jobs: Sequence[Job], total: Total) -> None:
        """The cohort of a round, and the sum that it becomes."""
        self._jobs, self._total = jobs, total
        self.outcomes = Outcomes(np.full(len(jobs), np.nan), np.full(len(jobs), np.nan), np.zeros(len(jobs), dtype=np.bool_))

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """A message per node that has a device in the cohort. Devices of a node that is not there are not asked."""
        assert self._total is not None
        nodes, found = self._fleet.nodes(), []
        for partition, places in places_by_partition([job.client for job in self._jobs], self._fleet.partitions).items():
            if partition in nodes:
                asks = [Ask(job.client, job.seed, job.weight) for job in (self._jobs[place] for place in places)]
                content = order(self._told, arrays, asks, self._jobs[0].window, self._jobs[0].round, self._total.rule, self._total.divisor)
                found.append(message(content, nodes[partition], MessageType.TRAIN, str(server_round)))
        return found

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Add what arrived, devices ascending. Raises UserError where a device trained on other data than the server counts on."""
        assert self._total is not None
        answers = {answer.client: answer for said in replies for answer in answers_in(said.content)}
        for place, job in enumerate(self._jobs):
            if job.client not in answers:
                continue
            answer = answers[job.client]
            if answer.examples != job.examples:
                raise UserError(
                    f"device {job.client} trained on {answer.examples} examples, the population says {job.examples}: its node has other data or another "
                    "population than the server"
                )
            self._total.receive(job, answer.given)
            self.outcomes.mean_loss[place], self.outcomes.rms_loss[place], self.outcomes.answered[place] = answer.mean_loss, answer.rms_loss, True
        return None, MetricRecord({"num-devices": int(self.outcomes.answered.sum())})

    def configure_evaluate(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """Nothing: the rounds score the model themselves."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Nothing."""
        return None

    def summary(self) -> None:
        """Nothing: what a study does stands in its spec."""
