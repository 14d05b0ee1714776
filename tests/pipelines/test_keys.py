"""Keys: editing one component's file rebuilds exactly the steps whose config uses it, and what stands on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

STUDY = """
kind: dp-training
name: keys
data: {kind: synthetic-assistant, examples: 200, task: intent}
fairness: []
model: {kind: linear}
training: {epochs: 1}
privacy: {kind: none}
utility: [{kind: accuracy}, {kind: macro-f1}]
sweep:
  arms:
    linear: {}
    bilstm: {model: {kind: bilstm, hidden_size: 8}}
"""

PROGRAM = """
import json, sys
from pathlib import Path
from specs.loading import load
from pipelines.planning import make_plan
plan = make_plan(load(Path(sys.argv[1])))
print(json.dumps({node.label: node.key for node in plan.graph}))
"""


class Copy:
    """A copy of the code that may be edited, and the keys it gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in ("tasks", "specs", "pipelines"):
            shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "pyproject.toml", folder)
        (folder / "keys.yaml").write_text(STUDY)

    def keys(self) -> dict[str, str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "ASSAY_HOME": str(self.folder)}
        done = subprocess.run([sys.executable, "-c", PROGRAM, "keys.yaml"], cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        keys: dict[str, str] = json.loads(done.stdout)
        return keys

    def edit(self, file: str) -> None:
        with (self.folder / file).open("a") as opened:
            opened.write("\n# edited\n")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("code"))


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("tasks/utility/metrics/accuracy.py", {"accuracy linear seed 0", "accuracy bilstm seed 0"}),
        (
            "tasks/models/architectures/bilstm.py",
            {"train bilstm seed 0", "predict test bilstm seed 0", "accuracy bilstm seed 0", "macro-f1 bilstm seed 0"},
        ),
        pytest.param("tasks/models/architectures/gpt2.py", set(), marks=pytest.mark.slow),
        ("tasks/data/datasets/snips.py", set()),
        pytest.param("specs/sweep.py", set(), marks=pytest.mark.slow),
        ("pipelines/coordinator.py", set()),
        pytest.param("tasks/runtime/execution.py", set(), marks=pytest.mark.slow),
        ("tasks/core/seeds.py", "all"),
    ],
)
def test_an_edit_rebuilds_what_uses_it(copy: Copy, file: str, changed: set[str] | str) -> None:
    before = copy.keys()
    copy.edit(file)
    after = copy.keys()
    assert before.keys() == after.keys()
    moved = {label for label in before if before[label] != after[label]}
    assert moved == (set(before) if changed == "all" else changed)


def test_trials_share_what_is_equal(copy: Copy) -> None:
    labels = list(copy.keys())
    assert sum(label.startswith("prepare") for label in labels) == 1
    assert sum(label.startswith("train") for label in labels) == 2
