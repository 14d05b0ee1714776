"""Reading a spec imports no heavy library, and planning only what a study needs, each seen in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((CHECKOUT / "specs").rglob("*.yaml"))

ACCOUNTING = ("dp_accounting", "prv_accountant", "scipy", "scipy.stats")
PLANNING = ("torch", "transformers", "opacus", "sklearn", "fairlearn", "mlflow", "datasets", "prefect", "flwr")
READING = (*PLANNING, "scipy.stats", "pandas", "statsmodels", "matplotlib")

READ = """
from pathlib import Path
from specs.loading import load
loaded = [load(Path(path)) for path in sys.argv[2].split(",")]
"""
PLAN = (
    READ
    + """
from pipelines.planning import make_plan
assert make_plan(loaded[0]).trials
"""
)
PLAN_PRIVATE = (
    PLAN
    + """
from pipelines.describing import guarantees
(promised,) = guarantees(make_plan(loaded[0])).values()
assert promised.startswith("simulated: example-level (3, 0.00112)-DP, add/remove"), promised
"""
)
COMMAND = """
from pipelines.cli.main import main
files, sys.argv = sys.argv[2].split(","), ["assay", "validate"]
sys.argv.extend(files)
try:
    main()
except SystemExit as done:
    assert not done.code, done.code
"""
REPORT = """
print("imported:", *(name for name in sys.argv[1].split(",") if name in sys.modules))
"""


def imported(home: Path, program: str, heavy: tuple[str, ...], specs: list[Path]) -> list[str]:
    """Which heavy libraries a program has imported at its end."""
    command = [sys.executable, "-c", f"import sys\n{program}\n{REPORT}", ",".join(heavy), ",".join(map(str, specs))]
    environment = {**os.environ, "ASSAY_HOME": str(home)}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("program", [READ, COMMAND], ids=["read", "command"])
def test_reading_every_shipped_spec_imports_nothing_heavy(tmp_path: Path, program: str) -> None:
    assert imported(tmp_path, program, READING, SHIPPED) == []


def test_reading_a_spec_with_a_table_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    (tmp_path / "t.jsonl").write_text('{"text": "a", "label": "b"}\n')
    spec = tmp_path / "s.yaml"
    data = "data: {kind: files, train: t.csv, test: t.jsonl, columns: {text: text, label: label}}"
    spec.write_text(f"kind: dp-training\nname: own\n{data}\nmodel: {{kind: linear}}\n")
    assert imported(tmp_path, READ, READING, [spec]) == []


def test_planning_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported(tmp_path, PLAN, PLANNING, [CHECKOUT / "specs" / "quickstart.yaml"]) == []


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A private study, whose accounts are not worked out yet."""
    spec = tmp_path / "private.yaml"
    data = "data: {kind: synthetic-assistant, examples: 100, task: intent, public_size: 90}"
    spec.write_text(f"kind: dp-training\nname: private\n{data}\nmodel: {{kind: linear}}\nprivacy: {{kind: dp-sgd, target_epsilon: 3}}\n")
    return spec


@pytest.mark.parametrize("program", [READ, COMMAND], ids=["read", "command"])
def test_reading_a_private_spec_imports_no_accountant(tmp_path: Path, private: Path, program: str) -> None:
    assert imported(tmp_path, program, (*READING, *ACCOUNTING), [private]) == []


def test_planning_a_private_study_imports_accountants_once_and_nothing_else_heavy(tmp_path: Path, private: Path) -> None:
    assert imported(tmp_path, PLAN, (*PLANNING, *ACCOUNTING), [private]) == []
    assert imported(tmp_path, PLAN_PRIVATE, (*PLANNING, *ACCOUNTING), [private]) == list(ACCOUNTING)
    assert imported(tmp_path, PLAN_PRIVATE, (*PLANNING, *ACCOUNTING), [private]) == []


@pytest.mark.parametrize("library", ["pandas", "scipy.stats"])
def test_a_heavy_import_is_noticed(tmp_path: Path, library: str) -> None:
    assert library in imported(tmp_path, f"{READ}\nimport {library}\n", READING, SHIPPED[:1])
