"""One process per device: an accelerator belongs to the process that took it until that process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tasks.core.errors import UserError
from tasks.runtime import devices

CLAIM = """
import sys, torch
torch.cuda.device_count = lambda: int(sys.argv[3])
from pathlib import Path
from tasks.runtime.devices import claim
print(claim("auto", Path(sys.argv[1]), int(sys.argv[2])), flush=True)
sys.stdin.read()
"""


def test_a_processor_is_shared(tmp_path: Path) -> None:
    assert devices.claim("cpu", tmp_path) == "cpu"
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match=r"device cuda:3: not on this machine \(there is cpu\)"):
        devices.available("cuda:3")


def test_auto_prefers_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.available("auto") == ["cuda:0", "cuda:1"]
    assert devices.available("cuda:1") == ["cuda:1"]


@pytest.mark.parametrize(("together", "there", "heads"), [(1, 2, {"cuda:0", "cuda:1"}), (2, 5, {"cuda:0", "cuda:2"})])
def test_each_process_gets_devices_of_its_own_and_leaves_them_at_its_end(together: int, there: int, heads: set[str], tmp_path: Path) -> None:
    """One, or as many as train together: the next ones belong to its helpers."""

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIM, str(tmp_path), str(together), str(there)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def said(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    first, second = start(), start()
    assert {said(first), said(second)} == heads
    third = start()
    first.kill()
    first.communicate()
    assert said(third) in heads
    for process in (second, third):
        process.communicate(input="")


def test_too_few_devices_for_a_training_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=r"execution\.processes_per_training: 3 need as many GPUs, device cuda is cuda:0, cuda:1: lower it"):
        devices.claim("cuda", tmp_path, 3)


@pytest.mark.parametrize(
    ("wanted", "together", "cores", "size"),
    [("auto", 1, 1, 1), ("auto", 1, 2, 2), ("auto", 1, 64, 2), ("auto", 2, 64, 1), ("auto", 3, 2, 1), (7, 1, 2, 7), (7, 2, 2, 7)],
)
def test_the_pool_has_two_processes_on_processors(monkeypatch: pytest.MonkeyPatch, wanted: str | int, together: int, cores: int, size: int) -> None:
    """Those of one training count too."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert devices.pool_size(wanted, "cpu", together) == size
