"""Running one call: under the lock of its key, from unfinished work where there is some, committed whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import threading
import time
import traceback
import uuid
from pathlib import Path

from tasks.core.errors import UserError
from tasks.core.graph import Call
from tasks.core.step import Report, StepRun
from tasks.core.store import Store, open_store
from tasks.runtime import devices
from tasks.runtime.charging import charged

DURATIONS = "durations.jsonl"
SERIES = "metrics.jsonl"
COORDINATOR = "ASSAY_COORDINATOR"
POOLED = "--multiprocessing-fork"
"""How the interpreter of a pooled process is started."""
WATCH_SECONDS = 0.5


class StepFailed(UserError):
    """A step ended by an error of its code; the message names the file that says where."""


def execute(call: Call) -> bool:
    """Make the artifact of a call unless it is there intact. Returns whether work was done."""
    end_with_coordinator()
    _one_thread()
    store = open_store(call.store)
    with store.lock(call.key):
        if store.intact(call.key):
            store.tidy(call.key)
            return False
        started = time.monotonic()
        try:
            _make(call, store)
        except UserError:
            raise
        except Exception as error:
            raise StepFailed(_keep_traceback(store, call, error)) from error
        _remember_duration(store, call, time.monotonic() - started)
    return True


def _keep_traceback(store: Store, call: Call, error: Exception) -> str:
    """Keep where the code failed for whoever mends it; returns the one line for everybody else. No value of a variable is kept."""
    path = store.scratch(call.key) / "error.txt"
    path.write_text("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else 'no message'} (where: {path})"


def _make(call: Call, store: Store) -> None:
    unfinished = store.scratch(call.key)
    result = unfinished / f"result-{uuid.uuid4().hex}"
    for stale in unfinished.glob("result-*"):
        shutil.rmtree(stale)
    checkpoint = unfinished / "checkpoint"
    for folder in (result, checkpoint):
        folder.mkdir(parents=True, exist_ok=True)
    device = devices.claim(call.device, store.local / "locks", call.processes)
    run = StepRun(result, checkpoint, device, call.physical_batch_size, Report(unfinished, device), call.processes)
    inputs = {name: store.open(key) for name, key in call.inputs.items()}
    with charged(call, inputs, checkpoint) as owed:
        call.step.work(call.config, inputs, call.seed or 0, run)
    if (unfinished / SERIES).exists():
        shutil.copy(unfinished / SERIES, result / SERIES)
    store.commit(call.key, result, _record(call, device) | ({"ledger": owed} if owed else {}))
    shutil.rmtree(unfinished)


def _record(call: Call, device: str) -> dict[str, object]:
    """What made the artifact, for people; the key is what counts."""
    return {
        "step": call.step.name,
        "label": call.label,
        "config": call.config.model_dump(mode="json"),
        "inputs": dict(call.inputs),
        "seed": call.seed,
        "shape": call.shape,
        "producer": call.producer,
        "device": device,
        "machine": platform.machine(),
    }


def _remember_duration(store: Store, call: Call, seconds: float) -> None:
    """One line per step made here, from which plans estimate."""
    with (store.local / DURATIONS).open("a") as file:
        file.write(json.dumps({"step": call.step.name, "shape": call.shape, "seconds": round(seconds, 3)}) + "\n")


def durations(store: Store) -> dict[str, float]:
    """The last measured seconds by shape of step, on this machine."""
    path = store.local / DURATIONS
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    return {line["shape"]: line["seconds"] for line in lines}


def _one_thread() -> None:
    """One thread per process, so that the number of processes cannot change a result."""
    import torch

    torch.set_num_threads(1)


_watching = False


def begin_coordinating() -> None:
    """Name this process as the one that its pool's processes end with."""
    os.environ[COORDINATOR] = str(os.getpid())


def end_with_coordinator() -> None:
    """A pooled process whose coordinator was killed ends too, instead of working on, or waiting for work, for nobody."""
    global _watching
    coordinator = os.environ.get(COORDINATOR)
    if _watching or coordinator is None or POOLED not in sys.orig_argv:
        return
    _watching = True

    def watch() -> None:
        while os.getppid() == int(coordinator):
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-coordinator").start()


def progress(store: Store, key: str) -> dict[str, object] | None:
    """How far the unfinished work on a key is, as its step last said."""
    try:
        state: dict[str, object] = json.loads((store.scratch(key) / "progress.json").read_text())
    except (OSError, ValueError):
        return None
    return state


def series_path(store: Store, key: str) -> Path:
    """Where the metric series of unfinished work on a key lie."""
    return store.scratch(key) / SERIES
