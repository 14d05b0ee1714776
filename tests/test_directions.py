"""Every import contract fails when it is broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
CONTRACTS = [contract["id"] for contract in tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]]

BREACHES = {
    "packages": [("tasks/core/seeds.py", "specs.loading"), ("specs/kinds.py", "pipelines.planning")],
    "domains": [
        ("tasks/core/seeds.py", "tasks.data.columns"),
        ("tasks/data/columns.py", "tasks.text.hub"),
        ("tasks/privacy/privacy.py", "tasks.training.training"),
        ("tasks/utility/metric.py", "tasks.attacks.attack"),
        ("tasks/attacks/attack.py", "tasks.fairness.metric"),
        ("tasks/fairness/metric.py", "tasks.comparison.claims"),
    ],
    "runtime": [("tasks/training/loop.py", "tasks.runtime.devices"), ("specs/kinds.py", "tasks.runtime.execution")],
    "prefect": [("tasks/training/steps.py", "prefect")],
    "mlflow": [("tasks/runtime/execution.py", "mlflow"), ("tasks/models/architectures/mlflow.py", "mlflow")],
    "mlflow-direct": [("pipelines/outcome.py", "mlflow")],
    "light": [("tasks/core/store.py", "transformers"), ("tasks/core/measures.py", "sklearn.metrics")],
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    for package in ("tasks", "specs", "pipelines"):
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    return folder


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run([sys.executable, "-c", program, *chosen], cwd=folder, capture_output=True, text=True, check=False)


def test_the_code_keeps_its_directions(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_contract_has_a_breach() -> None:
    assert sorted(BREACHES) == sorted(CONTRACTS)


@pytest.mark.parametrize(("contract", "file", "imported"), [(name, *breach) for name, found in BREACHES.items() for breach in found])
def test_a_breach_is_caught(copy: Path, contract: str, file: str, imported: str) -> None:
    path = copy / file
    kept = path.read_text()
    try:
        path.write_text(f"{kept}\n\ndef _breach() -> None:\n    import {imported}  # noqa: F401\n")
        done = lint(copy, contract)
    finally:
        path.write_text(kept)
    assert done.returncode == 1 and "BROKEN" in done.stdout, done.stdout[-3000:]
