"""One training by several processes of this machine: this one, which writes, and helpers that end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from tasks.core.step import StepRun
from tasks.training import helping, ranks
from tasks.training.helping import Order
from tasks.training.ranks import RankLost
from tasks.training.trainer import Trained, Trainer

if TYPE_CHECKING:
    from tasks.training.steps import TrainConfig

POLL = 0.1
GRACE = 10.0
"""Seconds in which a process that closed its connections ends."""
Helper = subprocess.Popen[str]


def train(trainer: Trainer, config: TrainConfig, key: int, run: StepRun, checkpoint: Path) -> Trained:
    """As ``Trainer.train``, by ``run.processes`` processes. All begin from the same checkpoint, each clips its part of every batch, and this one alone
    reports and writes. The account is that of one process: their clipped sums are added up, and noise is drawn once, here. Raises RankLost too.
    """
    if run.processes == 1:
        return trainer.train(config, key, run, checkpoint)
    with TemporaryDirectory(prefix="assay-training-") as folder:
        orders = [
            Order(
                rank=rank,
                count=run.processes,
                folder=Path(folder),
                config_class=f"{type(config).__module__}.{type(config).__qualname__}",
                config=config.model_dump(mode="json"),
                inputs=dict(trainer.inputs),
                seed=trainer.seed,
                key=key,
                checkpoint=checkpoint,
                device=_device(run.device, rank),
                physical_batch_size=run.physical_batch_size,
            )
            for rank in range(1, run.processes)
        ]
        with helped(orders, run.device):
            return trainer.train(config, key, run, checkpoint)


@contextmanager
def helped(orders: Sequence[Order], device: str) -> Iterator[None]:
    """Inside, this process is the first of several; none of the others outlives the block. Raises RankLost, naming the one that ended and why."""
    helpers: list[Helper] = []
    over = Event()
    watching = Thread(target=_watch, args=(helpers, over), daemon=True)
    try:
        for order in orders:
            helpers.append(_begun(order))
        store = ranks.meeting(orders[0].folder, orders[0].count)
        _wait(store, helpers, orders)
        ranks.join(store, 0, orders[0].count, device)
        watching.start()
        yield
    except RankLost as error:
        raise RankLost(_told(helpers, orders) or str(error)) from error
    finally:
        over.set()
        if watching.is_alive():
            watching.join()
        for helper in helpers:
            helper.kill()
            helper.communicate()
        ranks.leave()


def _begun(order: Order) -> Helper:
    """A process with this one's import path, so that it runs the same code wherever it begins."""
    command = [sys.executable, "-P", "-m", helping.__name__]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with _said(order).open("w") as said:
        helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=environment, text=True)
    assert helper.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, which is seen soon
        helper.stdin.write(order.model_dump_json() + "\n")
        helper.stdin.flush()
    return helper


def _wait(store: Any, helpers: Sequence[Helper], orders: Sequence[Order]) -> None:
    """Until all are about to join: then that takes no time, and one that ended before is not waited for. Raises RankLost."""
    until = time.monotonic() + ranks.PATIENCE.total_seconds()
    while not store.check([order.ready for order in orders]):
        if time.monotonic() > until or any(helper.poll() is not None for helper in helpers):
            raise RankLost("another process of this training does not begin")
        time.sleep(POLL)


def _watch(helpers: Sequence[Helper], over: Event) -> None:
    """Helpers end when they are ended: one that ends before is missed by all."""
    while not over.wait(POLL):
        if any(helper.poll() is not None for helper in helpers):
            ranks.break_off()
            return


def _told(helpers: Sequence[Helper], orders: Sequence[Order]) -> str | None:
    """Which process ended, and why; None where all are there."""
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        for helper, order in zip(helpers, orders, strict=False):
            if helper.poll() is not None:
                which, why = f"process {order.rank + 1} of {order.count}", _why(helper.returncode, order)
                return f"{which} of this training ended: {why}; run the study again to go on from its checkpoint"
        time.sleep(POLL)
    return None


def _why(status: int, order: Order) -> str:
    if status < 0:
        return f"{signal.Signals(-status).name} (out of memory?)"
    lines = _said(order).read_text().strip().splitlines()
    return lines[-1][:200] if lines else f"exit status {status}"


def _said(order: Order) -> Path:
    """What a helper says when it fails."""
    return order.folder / f"said-{order.rank}.txt"


def _device(first: str, rank: int) -> str:
    """Of a process: GPUs follow each other, a processor is shared."""
    kind, _, index = first.partition(":")
    return f"{kind}:{int(index) + rank}" if kind == "cuda" else first
