"""Many processes at once, and a kill at every statement: a budget is never passed, and nothing that may have begun is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.privacy.ledger.spent import Budget
from tests.privacy.ledger.keeping import DELTA, account, ledger_at

CHECKOUT = Path(__file__).resolve().parents[3]
PROCESSES, EACH = 10, 3
RESERVE = """
import sys
from pathlib import Path
from tasks.privacy.ledger.spent import BudgetExceeded
from tests.privacy.ledger.keeping import account, ledger_at

ledger = ledger_at(Path(sys.argv[1]))
for index in range(int(sys.argv[3])):
    try:
        ledger.reserve("people", f"{sys.argv[2]} {index}", account())
    except BudgetExceeded:
        print("refused")
    else:
        ledger.commit(f"{sys.argv[2]} {index}")
        print("trained")
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from tests.privacy.ledger.keeping import account, ledger_at

ledger, at, seen = ledger_at(Path(sys.argv[1])), int(sys.argv[2]), 0

def pass_by(*arguments):
    global seen
    seen += 1
    if seen == at:
        os.kill(os.getpid(), signal.SIGKILL)

for name in ("begin", "before_cursor_execute", "after_cursor_execute", "commit"):
    event.listen(ledger.engine, name, pass_by)
event.listen(ledger.engine.pool, "checkin", pass_by)
ledger.reserve("people", "night", account())
print("reserved", flush=True)
print("trained", flush=True)
ledger.commit("night")
print("committed", flush=True)
print(seen)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "ASSAY_HOME": str(arguments[0]), "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)


def test_ten_processes_at_once_never_pass_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    ledger = ledger_at(tmp_path)
    ledger.reserve("measured", "one", account())
    for index in range(7):
        ledger.reserve("measured", f"more {index}", account())
    room = ledger.spent("measured").epsilon(DELTA) + 1e-6  # for eight trainings of the thirty that are tried
    ledger.set_budget("people", Budget(room, DELTA))
    processes = [start(RESERVE, tmp_path, name, EACH) for name in range(PROCESSES)]
    said = [process.communicate(timeout=250)[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert sum(line.count("trained") for line in said) == 8 and sum(line.count("refused") for line in said) == PROCESSES * EACH - 8
    spent = ledger.spent("people")
    assert spent.trainings == 8 and spent.epsilon(DELTA) <= room
    ledger.verify()


@pytest.mark.slow
def test_a_kill_at_every_statement_never_counts_too_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    whole = start(KILLED, tmp_path / "whole", 0)
    out, _ = whole.communicate(timeout=120)
    *done, seen = out.split()
    assert done == ["reserved", "trained", "committed"] and int(seen) > 12
    for at in range(1, int(seen) + 1):
        home = tmp_path / str(at)
        process = start(KILLED, home, at)
        reached = process.communicate(timeout=120)[0].split()
        assert process.returncode == -signal.SIGKILL
        ledger = ledger_at(home)
        spent = ledger.spent("people")
        assert spent.trainings == 1 or "reserved" not in reached, f"killed at {at}: a training may have begun that the ledger does not know"
        assert spent.committed == 1 or "committed" not in reached
        ledger.verify()
        ledger.reserve("people", "night", account())  # the same command again
        ledger.commit("night")
        assert (ledger.spent("people").trainings, ledger.spent("people").open) == (1, 0), f"killed at {at}: charged once"
