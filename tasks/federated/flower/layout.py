"""A cohort trained by the nodes of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flwr.app import ConfigRecord

from tasks.core.errors import UserError
from tasks.federated.flower.fleet import Fleet
from tasks.federated.flower.messages import arrays
from tasks.federated.flower.strategy import CohortStrategy
from tasks.federated.jobs import Job, Outcomes
from tasks.federated.local import Layout, Work
from tasks.federated.totals import Total

OnFailure = Literal["complete", "fail"]


class DevicesLost(UserError):
    """Devices of a cohort did not answer."""


class FlowerLayout(Layout):
    """Devices are trained where their records are, and hand over contributions.

    Args:
        work: the server's model.
        fleet: the nodes.
        told: the study, as nodes read it.
        on_failure: whether a round completes without devices that are gone or late. They are logged as not answered and nothing is weighed anew: the
            others keep the weights that the draw gave them.
    """

    def __init__(self, work: Work, fleet: Fleet, told: str, on_failure: OnFailure) -> None:
        super().__init__(work)
        self._fleet, self._strategy, self._on_failure = fleet, CohortStrategy(fleet, told), on_failure
        self._rounds = 0

    def train(self, jobs: Sequence[Job], total: Total) -> Outcomes:
        """See Layout. Raises DevicesLost, NodeFailed, UserError."""
        self._rounds += 1
        if not jobs:
            return Outcomes.of([], [], jobs)
        self._fleet.mend()
        self._strategy.begin(jobs, total)
        messages = self._strategy.configure_train(self._rounds, arrays(total.sent), ConfigRecord(), self._fleet.grid)
        replies = self._fleet.exchange({message.metadata.dst_node_id: message for message in messages})
        self._strategy.aggregate_train(self._rounds, replies.values())
        outcomes = self._strategy.outcomes
        lost = [job.client for job, answered in zip(jobs, outcomes.answered, strict=True) if not answered]
        if lost and (self._on_failure == "fail" or len(lost) == len(jobs)):
            raise DevicesLost(
                f"{len(lost)} of {len(jobs)} devices did not answer (the first is device {lost[0]}): their nodes ended, or took longer than "
                f"{self._fleet.timeout:g} seconds. Run it again to go on from the last checkpoint; on_failure: complete goes on without them"
            )
        return outcomes
