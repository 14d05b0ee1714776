"""A port in use is told in one line: which, by whom, what chooses another."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from pipelines.services import ports
from tasks.core.errors import UserError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        found.bind(("127.0.0.1", 0))
        found.listen()
        yield found


def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_free_ports_pass() -> None:
    ports.check({"--one": free(), "--two": free()})


def test_a_taken_port_is_told_with_its_holder_and_its_option(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(ports.PortTaken) as refused:
        ports.check({"--prefect-port": free(), "--mlflow-port": port})
    said = str(refused.value)
    assert said.startswith(f"port {port} is taken by ") and f"process {os.getpid()}" in said
    assert said.endswith("choose another with --mlflow-port") and "--prefect-port" not in said


def test_a_port_that_is_bound_on_all_addresses_is_taken() -> None:
    with socket.socket() as wide:
        wide.bind(("0.0.0.0", 0))
        wide.listen()
        assert ports.in_use(wide.getsockname()[1])


def test_a_port_of_a_connection_that_has_just_ended_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        listener.accept()[0].close()  # this side closes first, and its port waits for minutes
    listener.close()
    assert not ports.in_use(port)


def test_two_options_may_not_name_one_port() -> None:
    port = free()
    with pytest.raises(UserError, match=f"--prefect-port and --mlflow-port must differ .both are {port}."):
        ports.check({"--prefect-port": port, "--mlflow-port": port})


def test_a_port_that_is_being_freed_is_waited_for(listener: socket.socket) -> None:
    threading.Timer(0.5, listener.close).start()
    ports.check({"--one": listener.getsockname()[1]}, patience=10)
