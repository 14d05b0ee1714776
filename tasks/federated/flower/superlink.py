"""A training as a run of a SuperLink: the step's own process is its ServerApp.

The SuperLink runs with ``--isolation process``, so that it starts no ServerApp itself. This process begins a run over the Control API, takes its
task over the Runtime API, as a SuperExec would, and so has the run's grid. Flower has no public name for that: the version is pinned, and
``tests/federated/test_flower_deployment.py`` runs all of it.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from flwr.cli.build import build_fab_from_files
from flwr.common.constant import SubStatus
from flwr.common.serde import fab_to_proto, run_from_proto
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest, UnregisterNodeRequest
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, PushTaskOutputRequest
from flwr.serverapp import Grid
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.fab import Fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from tasks.core.errors import UserError

APP = """
[project]
name = "assay-federated"
version = "1.0.0"
description = "Devices of a study of Assay, which is installed where this runs."
license = "Apache-2.0"

[tool.flwr.app]
publisher = "assay"

[tool.flwr.app.components]
serverapp = "tasks.federated.flower.server_app:app"
clientapp = "tasks.federated.flower.client_app:app"
"""
"""The app bundle names code and brings none: a node runs the Assay that its own team installed."""
TAKING = 30.0
"""Seconds in which a run's task is there to be taken."""
ACQUIRE = "/flwr.proto.Runtime/AcquireTask"


@dataclass(frozen=True)
class SuperLink:
    """How to reach a SuperLink.

    Args:
        address: host and port.
        authority: the certificate authority that its certificate is checked with, PEM.
        secret: what SuperExecs prove themselves with, where it asks for that.
    """

    address: str
    authority: bytes
    secret: bytes | None

    def register(self, public_key: bytes) -> int:
        """Let the node with a key (PEM) join; returns its id. Raises UserError."""
        with self._control() as control:
            return int(control.RegisterNode(RegisterNodeRequest(public_key=public_key)).node_id)

    def unregister(self, node: int) -> None:
        """A node is no more. Raises UserError."""
        with self._control() as control:
            control.UnregisterNode(UnregisterNodeRequest(node_id=node))

    @contextmanager
    def run(self) -> Iterator[Grid]:
        """A run of its own; it is over when this closes. Raises UserError."""
        bundle = _bundle()
        with self._control() as control:
            run_id = control.StartRun(StartRunRequest(fab=fab_to_proto(Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})))).run_id
        if not run_id:
            raise UserError(f"federation.engine: the SuperLink at {self.address} began no run")
        grid = HttpGrid(self.address, root_certificates=self.authority, token=self._taken(run_id))
        client = grid._runtime_client
        given = client.PullTaskInput(PullTaskInputRequest())
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = given.task_id, given.run.run_id, given.context.node_id
        grid.set_run(run_from_proto(given.run))
        heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        heartbeat.start()
        status, details = SubStatus.FAILED, "the training did not end"
        try:
            yield grid
            status, details = SubStatus.COMPLETED, ""
        finally:
            heartbeat.stop()
            with _ignored():
                grid._retry_invoker.max_tries = 1
                client.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=details))
            grid.close()

    def _taken(self, run_id: int) -> str:
        """The token of the run's task."""
        interceptors: list[Any] = [RuntimeVersionHttpInterceptor(component_name="SuperExec")]
        if self.secret is not None:
            interceptors.append(SuperExecAuthHttpInterceptor(master_secret=self.secret, protected_methods=frozenset({ACQUIRE})))
        client = RuntimeHttpClient.from_server_address(self.address, False, self.authority, interceptors)
        try:
            end = time.monotonic() + TAKING
            while time.monotonic() < end:
                with self._told():
                    found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
                if found.HasField("task") and found.task.run_id == run_id:
                    return str(found.token)
                if found.HasField("task"):
                    raise UserError(f"federation.engine: the SuperLink at {self.address} gave a task of another run: it must serve Assay alone")
                time.sleep(0.1)
        finally:
            client.close()
        raise UserError(f"federation.engine: the SuperLink at {self.address} runs ServerApps itself: start it with --isolation process")

    @contextmanager
    def _control(self) -> Iterator[ControlHttpClient]:
        interceptors = [RuntimeVersionHttpInterceptor(component_name="flwr CLI")]
        client = ControlHttpClient.from_server_address(self.address, False, self.authority, interceptors)
        try:
            with self._told():
                yield client
        finally:
            client.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong between here and there, as one line."""
        try:
            yield
        except (httpx.HTTPError, FlowerError) as error:
            raise UserError(f"federation.engine: the SuperLink at {self.address} cannot be used: {error}") from error


def _bundle() -> bytes:
    """The app bundle. A library that Flower packs it with warns of another's names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return build_fab_from_files({"pyproject.toml": APP.encode()})[0]


@contextmanager
def _ignored() -> Iterator[None]:
    """A SuperLink that is gone cannot be told that the run is over."""
    try:
        yield
    except (httpx.HTTPError, FlowerError):
        return
