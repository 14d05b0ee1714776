"""The ClientApp: what runs on a node, in simulation and in deployment alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from tasks.federated.flower.messages import PARTITION, asks_in, reply, told_in
from tasks.federated.flower.node import node_of

OWN = (PARTITION, "num-partitions", "device")
"""Settings of a node that name no folder."""


def client_app(settings: Callable[[Context], Mapping[str, Any]]) -> ClientApp:
    """The app, given where a node's settings are: its folders by name, and its ``device``."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        """Which partition this node is."""
        content = RecordDict({"node": MetricRecord({PARTITION: int(str(context.node_config[PARTITION]))})})
        return Message(content, reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        """Train the devices that the message asks, and hand over their contributions."""
        found = settings(context)
        folders = tuple(sorted((name, str(path)) for name, path in found.items() if name not in OWN))
        told, sent = told_in(message.content)
        node = node_of(folders, told, str(found.get("device", "cpu")))
        asks, window, round, rule, divisor = asks_in(message.content)
        return Message(reply([node.train(ask, window, round, sent, rule, divisor) for ask in asks]), reply_to=message)

    return app


app = client_app(lambda context: context.node_config)
"""What a SuperNode runs: its folders stand in its own ``--node-config``."""
