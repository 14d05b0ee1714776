"""Flower's simulation: virtual nodes in the processes of a Ray that begins and ends with the training."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from tasks.core.errors import UserError
from tasks.federated.flower.client_app import client_app
from tasks.federated.flower.fleet import Fleet, Host
from tasks.federated.flower.quiet import silence

ENDING = 60.0
"""Seconds in which a simulation ends."""


class Simulation(Host):
    """A running simulation. Its ServerApp hands over its grid and waits: the rounds stay where they always are, in the step's own thread."""

    def __init__(self, settings: Mapping[str, Any], nodes: int, actors: int) -> None:
        self._settings, self._nodes, self._actors = dict(settings), nodes, actors
        self._handed: Queue[Grid | None] = Queue()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="flower-simulation", daemon=True)

    def begin(self) -> Grid:
        """Start it; how to reach its nodes."""
        self._thread.start()
        found = self._handed.get()
        if found is None:
            raise self._ended()
        return found

    def end(self) -> None:
        """End it, with every process that it started."""
        self._over.set()
        self._thread.join(ENDING)

    def check(self) -> None:
        """Raise UserError where the simulation ended."""
        if not self._thread.is_alive():
            raise self._ended()

    def _ended(self) -> UserError:
        cause = self._error and (self._error.__cause__ or self._error)
        return UserError(f"federation.engine: Flower's simulation ended before the training did ({type(cause).__name__}: {cause})")

    def _run(self) -> None:
        settings = self._settings
        app = ServerApp()

        @app.main()
        def main(grid: Grid, context: Context) -> None:
            self._handed.put(grid)
            self._over.wait()

        ray: Any = {"address": "local", "num_cpus": self._actors, "num_gpus": 0, "logging_level": "ERROR", "log_to_driver": False}
        backend: Any = {"init_args": ray, "client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
        try:
            run_simulation(app, client_app(lambda context: settings), self._nodes, backend_config=backend)
        except BaseException as error:  # it would end with this thread, unseen
            self._error = error
        finally:
            self._over.set()
            self._handed.put(None)


@contextmanager
def simulated(inputs: Mapping[str, Path], nodes: int, actors: int, device: str, timeout: float) -> Iterator[Fleet]:
    """A fleet of virtual nodes that all read the same folders. Raises UserError where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("federation.engine flower-simulation needs Ray: install assay[flower]")
    silence()
    simulation = Simulation({**{name: str(path) for name, path in inputs.items()}, "device": device}, nodes, actors)
    fleet = Fleet(simulation.begin(), nodes, timeout, simulation)
    try:
        fleet.gather()
        yield fleet
    finally:
        simulation.end()
