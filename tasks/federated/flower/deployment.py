"""Flower's deployment: a SuperLink and SuperNodes on loopback that live as long as the training, or a SuperLink that a team runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flwr.supercore.primitives.asymmetric import public_key_to_bytes

from tasks.core.errors import UserError
from tasks.federated.flower.credentials import LOOPBACK, write_certificates, write_node_key, write_shared_secret
from tasks.federated.flower.fleet import Fleet, Host
from tasks.federated.flower.processes import Program, free_port
from tasks.federated.flower.quiet import silence
from tasks.federated.flower.shares import write_share
from tasks.federated.flower.superlink import SuperLink

PAUSE = 0.25
"""Seconds between two looks for replies: each is a request over TLS."""


class Loopback(Host):
    """A SuperLink and its SuperNodes on this machine.

    TLS and node authentication are on, with certificates and keys that are made for it; every node reads a share of the data of its own.

    Args:
        folder: for all that they write.
        inputs: of the step.
        nodes: how many SuperNodes.
        device: where nodes train.
    """

    def __init__(self, folder: Path, inputs: Mapping[str, Path], nodes: int, device: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._nodes = folder, nodes
        self._certificates = write_certificates(folder)
        self.authority = self._certificates[0]
        self._secret = write_shared_secret(folder / "superexec.secret")
        self.programs: dict[int, Program] = {}
        """The SuperNodes by partition."""
        self._ids: dict[int, int] = {}
        for partition in range(nodes):
            home = folder / f"node-{partition}"
            share = {**inputs, **write_share(inputs["data"], inputs["population"], partition, nodes, home)}
            settings = {"partition-id": partition, "num-partitions": nodes, "device": device, **{name: str(path) for name, path in share.items()}}
            (home / "node.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))

    def begin(self) -> SuperLink:
        """Start the SuperLink, let the nodes join, start them. Raises UserError."""
        _, certificate, key = self._certificates
        port = free_port()
        tls = ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(key), "--ssl-ca-certfile", str(self.authority)]
        safe = ["--enable-supernode-auth", "--superexec-auth-secret-file", str(self.folder / "superexec.secret"), "--disable-runtime-dependency-installation"]
        command = ["flower-superlink", *tls, *safe, "--isolation", "process", "--host", LOOPBACK, "--port", str(port)]
        self._superlink = Program("superlink", command, self.folder / "superlink")
        self._superlink.wait_for(port)
        self.address = f"{LOOPBACK}:{port}"
        self._link = SuperLink(self.address, self.authority.read_bytes(), self._secret)
        for partition in range(self._nodes):
            self._start(partition)
        return self._link

    def end(self) -> None:
        """End all of it."""
        for program in (*self.programs.values(), *([self._superlink] if hasattr(self, "_superlink") else [])):
            program.end()

    def mend(self) -> bool:
        """Put a new SuperNode in the place of each that ended: for a minute the SuperLink takes the old one for alive, and lets nobody in by its key."""
        ended = [partition for partition in self.programs if self.gone(partition)]
        for partition in ended:
            self.programs[partition].end()
            self._link.unregister(self._ids[partition])
            self._start(partition)
        return bool(ended)

    def check(self) -> None:
        """Raise UserError where the SuperLink ended."""
        if self._superlink.ended:
            raise UserError(f"federation.engine: the SuperLink ended: see {self._superlink.log}")

    def gone(self, partition: int | None) -> bool:
        """Whether the SuperNode of a partition ended."""
        return partition in self.programs and self.programs[partition].ended

    def _home(self, partition: int) -> Path:
        return self.folder / f"node-{partition}"

    def _start(self, partition: int) -> None:
        home = self._home(partition)
        self._ids[partition] = self._link.register(public_key_to_bytes(write_node_key(home / "node.key")))
        who = ["--auth-supernode-private-key", str(home / "node.key"), "--node-config", str(home / "node.toml")]
        where = ["--superlink", self.address, "--root-certificates", str(self.authority), "--host", LOOPBACK, "--port", str(free_port())]
        self.programs[partition] = Program(f"supernode-{partition}", ["flower-supernode", *where, *who], home)


@contextmanager
def deployed(folder: Path, inputs: Mapping[str, Path], nodes: int, device: str, timeout: float) -> Iterator[Fleet]:
    """A fleet on loopback. Everything that it starts ends with it."""
    silence()
    host = Loopback(folder, inputs, nodes, device)
    with ExitStack() as stack:
        stack.callback(host.end)
        fleet = Fleet(stack.enter_context(host.begin().run()), nodes, timeout, host, PAUSE)
        fleet.gather()
        yield fleet


@contextmanager
def joined(superlink: SuperLink, nodes: int, timeout: float) -> Iterator[Fleet]:
    """A fleet of the SuperNodes of a SuperLink that others run."""
    silence()
    with superlink.run() as grid:
        fleet = Fleet(grid, nodes, timeout, pause=PAUSE)
        fleet.gather()
        yield fleet
