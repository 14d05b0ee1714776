"""Ports that are taken, told before anything is started: which port, by whom, and what option chooses another."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

from tasks.core.errors import UserError

LOOPBACK = "127.0.0.1"
BACKLOG = 1024


class PortTaken(UserError):
    """Another process listens where a service should."""


def check(ports: Mapping[str, int], patience: float = 0.0) -> None:
    """Raise PortTaken where a port is taken, UserError where two options name one.

    Args:
        ports: the port by the option that chooses it.
        patience: seconds in which it may become free, for services that are just ending.
    """
    if len(set(ports.values())) < len(ports):
        raise UserError(f"{' and '.join(ports)} must differ (both are {next(iter(ports.values()))})")
    end = time.monotonic() + patience
    while taken := {option: port for option, port in ports.items() if in_use(port)}:
        if time.monotonic() >= end:
            raise PortTaken("; ".join(f"port {port} is taken{_by(port)}: choose another with {option}" for option, port in taken.items()))
        time.sleep(0.2)


def listen(port: int) -> socket.socket:
    """A socket that listens on a port of loopback. Raises PortTaken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"port {port} is taken{_by(port)} ({error.strerror})") from None
    listener.listen(BACKLOG)
    return listener


def in_use(port: int) -> bool:
    """Whether something listens on a port of this machine, or keeps others from listening."""
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex((LOOPBACK, port)) == 0:
            return True
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def holder(port: int) -> str | None:
    """The process that listens on a port, where this user may know it: ``name, process 1234``."""
    import psutil

    try:
        found = [each.pid for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid]
        return f"{psutil.Process(found[0]).name()}, process {found[0]}" if found else None
    except psutil.Error:
        return None


def _by(port: int) -> str:
    found = holder(port)
    return f" by {found}" if found else ""
