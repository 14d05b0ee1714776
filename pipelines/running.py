"""Running a study: the body of every kind's flow, and the way `assay run` enters it."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipelines.embedded import embedded_server, wait_until_up
from specs.loading import Loaded, load, load_mapping
from specs.schemas.study import Study
from tasks.runtime.devices import available, pool_size

if TYPE_CHECKING:
    from pipelines.outcome import Outcome

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false", "DO_NOT_TRACK": "1"}


def run_study(study: Path | str | Study | Mapping[str, Any], execution: Mapping[str, Any] | None, new: bool, quiet: bool) -> Outcome:
    """Inside a flow run: load, plan, make what is missing, record, compare."""
    from pipelines.coordinator import coordinate
    from pipelines.planning import make_plan

    return coordinate(make_plan(_load(study, execution or {}), begin=True, new=new), new, quiet)


def run_locally(loaded: Loaded, execution: Mapping[str, Any], new: bool, quiet: bool) -> Outcome:
    """What `assay run` does: an embedded Prefect server unless one is configured, and the kind's flow on a process pool."""
    device = loaded.study.execution.device
    if device not in ("auto", "cpu"):
        available(device)
    os.environ.update({name: os.environ.get(name, "1") for name in ONE_THREAD})
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    with embedded_server(), _terminated_as_interrupt():
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.task_runners import ProcessPoolTaskRunner

        from pipelines.coordinator import warm_up

        kind = loaded.study.kind
        flow = getattr(importlib.import_module(f"pipelines.{kind.replace('-', '_')}"), kind.replace("-", "_"))
        runner = ProcessPoolTaskRunner(max_workers=pool_size(loaded.study.execution.processes, device))
        warm_up()
        wait_until_up()
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # its thread costs a second to join
            named = flow.with_options(task_runner=runner, flow_run_name=loaded.study.name)
            outcome: Outcome = named(loaded.path, dict(execution), new, quiet)
    return outcome


def _load(study: Path | str | Study | Mapping[str, Any], execution: Mapping[str, Any]) -> Loaded:
    if isinstance(study, Path | str):
        return load(Path(study), execution=execution)
    values = study.model_dump(mode="json") if isinstance(study, Study) else study
    return load_mapping(values, str(values.get("name", "study")), execution=execution)


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
