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
torch.cuda.device_count = lambda: 2
from pathlib import Path
from tasks.runtime.devices import claim
print(claim("auto", Path(sys.argv[1])), flush=True)
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


def test_each_process_gets_a_device_of_its_own_and_leaves_it_at_its_end(tmp_path: Path) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", CLAIM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def said(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    first, second = start(), start()
    assert {said(first), said(second)} == {"cuda:0", "cuda:1"}
    third = start()
    first.kill()
    first.communicate()
    assert said(third) in ("cuda:0", "cuda:1")
    for process in (second, third):
        process.communicate(input="")


@pytest.mark.parametrize(("wanted", "cores", "size"), [("auto", 1, 1), ("auto", 2, 2), ("auto", 64, 2), (7, 2, 7)])
def test_the_pool_has_two_processes_on_processors(monkeypatch: pytest.MonkeyPatch, wanted: str | int, cores: int, size: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert devices.pool_size(wanted, "cpu") == size
