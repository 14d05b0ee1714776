"""The life of one supervisor: nothing is started before all that could refuse has been asked, and nothing is left when it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pipelines.services import databases, deploying, ports, state
from pipelines.services.showing import addresses
from pipelines.services.state import Up
from pipelines.services.supervising import Supervisor
from pipelines.services.wanted import Options
from tasks.core.places import prefect_database_url, shown_uri, store_url, tracking_uri

STALE_PATIENCE = 12.0
"""Seconds in which the services of a killed supervisor end by themselves and free their ports."""


def serve(options: Options, say: Callable[[str], None]) -> None:
    """Start, say so, keep running until Ctrl-C or SIGTERM, stop. Raises AlreadyUp, UserError."""
    stale = state.read() is not None
    first = Up(os.getpid(), "starting", options.prefect_page, options.mlflow_page, shown_uri(tracking_uri()), shown_uri(store_url()))
    with _ended_by_signals(), state.supervising(first):
        refuse_early(options, stale)
        for made in databases.prepare():
            say(f"database {made}: made")
        supervisor = Supervisor(options, first, say)
        try:
            supervisor.start()
            say("\n".join(["", *addresses(first), "Ctrl-C ends all of it"]))
            supervisor.watch()
        except KeyboardInterrupt:
            say("stopping: workers first, then servers")
        finally:
            supervisor.stop()
        say("stopped: nothing is left running")


def refuse_early(options: Options, stale: bool | None = None) -> None:
    """Raise UserError for what can be known to be wrong before anything is started: ports, the file of deployments, the database's address."""
    left = state.read() is not None if stale is None else stale
    ports.check(options.ports, STALE_PATIENCE if left else 0.0)
    deploying.prefect_file()
    prefect_database_url()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A polite kill, or the end of the terminal, ends the services as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
