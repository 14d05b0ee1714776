"""The nodes that a server can reach, and what it means to wait for them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from tasks.core.errors import UserError
from tasks.federated.flower.messages import PARTITION

LOST = (ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE, ErrorCode.NODE_UNAVAILABLE, ErrorCode.CLIENT_APP_CRASHED)
"""What is said for a node that is gone; any other error is one of its code, which another attempt would meet again."""


class NodeFailed(UserError):
    """The code of a node ended by an error; the message is its reason."""


class Host:
    """What keeps nodes alive, as far as the server knows; here nothing is known of them."""

    def mend(self) -> bool:
        """Bring back what ended, before a round; whether there was something."""
        return False

    def check(self) -> None:
        """Raise UserError where nothing can answer any more."""

    def gone(self, partition: int | None) -> bool:
        """Whether the node of a partition is known to have ended."""
        return False


@dataclass
class Fleet:
    """Nodes by partition. A server addresses partitions; the ids of nodes, which Flower draws anew each time, stay in here.

    Args:
        grid: how messages get there.
        partitions: how many nodes there are: node p serves every device d with p = d mod partitions.
        timeout: seconds to wait for an answer.
        host: what keeps the nodes.
        pause: seconds between two looks for replies.
    """

    grid: Grid
    partitions: int
    timeout: float
    host: Host = field(default_factory=Host)
    pause: float = 0.05

    def __post_init__(self) -> None:
        self._partition_of: dict[int, int | None] = {}

    def gather(self) -> None:
        """Wait until every partition has its node. Raises UserError after the timeout."""
        end = time.monotonic() + self.timeout
        while len(self.nodes()) < self.partitions:
            self.host.check()
            if time.monotonic() > end:
                raise UserError(f"federation.engine: {len(self.nodes())} of {self.partitions} nodes joined within {self.timeout:g} seconds")
            time.sleep(self.pause)

    def mend(self) -> None:
        """Bring back nodes that ended, as far as the server keeps them. Raises UserError."""
        if self.host.mend():
            self.gather()

    def nodes(self) -> dict[int, int]:
        """Node ids by partition of the nodes that are there now. New ones are asked once which they are. Raises NodeFailed, UserError."""
        there = set(self.grid.get_node_ids())
        unknown = sorted(there - self._partition_of.keys())
        said = self.exchange({node: message(RecordDict({"ask": ConfigRecord()}), node, MessageType.QUERY, "partitions") for node in unknown})
        for node in unknown:  # one that says nothing is not waited for again
            self._partition_of[node] = int(str(said[node].content.metric_records["node"][PARTITION])) if node in said else None
        found = {partition: node for node, partition in self._partition_of.items() if node in there and partition is not None}
        wrong = sorted(partition for partition in found if not 0 <= partition < self.partitions)
        if wrong:
            raise UserError(f"federation.engine.nodes: a node says that it is partition {wrong[0]}, of {self.partitions} that there are")
        return found

    def exchange(self, messages: Mapping[int, Message]) -> dict[int, Message]:
        """Send a message to each node; replies by node, without those of nodes that are gone or late. Raises NodeFailed."""
        sent = dict(zip(self.grid.push_messages(list(messages.values())), messages, strict=True)) if messages else {}
        waiting, replies = {name: node for name, node in sent.items() if name}, {}
        end = time.monotonic() + self.timeout
        while waiting and time.monotonic() < end:
            for found in self.grid.pull_messages(list(waiting)):
                node = waiting.pop(found.metadata.reply_to_message_id)
                if not found.has_error():
                    replies[node] = found
                elif found.error.code not in LOST:
                    raise NodeFailed(f"node {self._partition_of.get(node, '?')} failed: {found.error.reason}")
            self.host.check()
            waiting = {name: node for name, node in waiting.items() if not self.host.gone(self._partition_of.get(node))}
            if waiting:
                time.sleep(self.pause)
        return replies


def message(content: RecordDict, node: int, kind: str, group: str) -> Message:
    """A message to a node."""
    return Message(content=content, dst_node_id=node, message_type=kind, group_id=group)


def places_by_partition(clients: Sequence[int], partitions: int) -> dict[int, list[int]]:
    """Places in ``clients`` by partition that serves them, both ascending."""
    found: dict[int, list[int]] = {}
    for place, client in enumerate(clients):
        found.setdefault(client % partitions, []).append(place)
    return dict(sorted(found.items()))
