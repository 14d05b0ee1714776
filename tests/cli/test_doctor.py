"""`assay doctor` looks at this machine and says what to fix, for people and for scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.specs.mutating import CHECKOUT


def doctor(folder: Path, **environment: str) -> tuple[int, list[dict[str, object]]]:
    command = [sys.executable, "-m", "pipelines.cli.main", "doctor", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=200)
    assert "Traceback" not in done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    assert all(set(item) == {"check", "ok", "found", "fix"} for item in found)
    return done.returncode, found


def test_what_is_wrong_is_told_with_what_to_do(folder: Path) -> None:
    (folder / "store").write_text("a file where a folder should be")
    code, found = doctor(folder, ASSAY_STORE=str(folder / "store"))
    wrong = {str(item["check"]): item for item in found if not item["ok"]}
    assert code == 1
    assert "store (ASSAY_STORE)" in wrong and wrong["store (ASSAY_STORE)"]["fix"]
    assert "home (ASSAY_HOME)" not in wrong and str(folder / "home") in str(found)
