"""Running a study: the body of every kind's flow, and the way `assay run` enters it."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipelines.embedded import server, wait_until_up
from pipelines.services.databases import prepare
from tasks.runtime.devices import available

if TYPE_CHECKING:
    from pipelines.arranging import Skipped
    from pipelines.outcome import Outcome
    from specs.loading import Loaded

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false", "DO_NOT_TRACK": "1"}


def run_locally(loaded: Loaded, execution: Mapping[str, Any], new: bool, quiet: bool) -> Outcome | Skipped:
    """What `assay run` does: the kind's flow in this process, on the server that is configured or up, else on one that it brings along."""
    device = loaded.study.execution.device
    if device not in ("auto", "cpu"):
        available(device)
    os.environ.update({name: os.environ.get(name, "1") for name in ONE_THREAD})
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    prepare()
    with server() as lasting, _terminated_as_interrupt():
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        from pipelines.coordinator import warm_up
        from pipelines.flows import Audience, outcome_of, watched_by

        module = loaded.study.kind.replace("-", "_")
        flow = getattr(importlib.import_module(f"pipelines.{module}"), module)
        warm_up()
        wait_until_up()
        with watched_by(Audience(terminal=True, quiet=quiet, page=lasting)), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            # a heartbeat's thread costs a second to join
            return outcome_of(flow(loaded.path, dict(execution), new, return_state=True))


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """A polite kill ends a study as Ctrl-C does: runs are marked, work is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
