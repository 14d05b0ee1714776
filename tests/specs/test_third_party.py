"""A component of another distribution, joined by its entry point, stands in a study as our own do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.specs.given import SMALL, write

CHECKOUT = Path(__file__).resolve().parents[2]

MODULE = '''
from typing import ClassVar, Literal

from pydantic import Field

from tasks.training.optimizer import Optimizer
from tasks.utility.metric import UtilityMetric


class Calm(Optimizer):
    """Step slowly."""

    kind: Literal["calm"]
    learning_rate: float = Field(default=0.1, gt=0, description="Step size.")
    patience: int = Field(default=3, ge=1, description="Steps to wait.")

    def build(self, parameters):
        raise NotImplementedError


class Wit(UtilityMetric):
    """How witty the answers are."""

    tasks: ClassVar[tuple[str, ...]] = ("intent",)
    kind: Literal["wit"]

    def score(self, predictions):
        raise NotImplementedError
'''
ENTRY_POINTS = "[assay.components]\ncalm = calm_parts:Calm\nwit = calm_parts:Wit\n"
PARTS = "training: {optimizer: {kind: calm, patience: 5}}\nutility: [{kind: accuracy}, {kind: wit}]\n"
CLAIM = "claims: [{id: w, says: so, metric: utility/wit, arm: main, at_least: 0.5}]\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed distribution of two components."""
    site = tmp_path / "site"
    record = site / "calm_parts-1.0.dist-info"
    record.mkdir(parents=True)
    write(site, MODULE, "calm_parts.py")
    write(record, "Metadata-Version: 2.1\nName: calm-parts\nVersion: 1.0\n", "METADATA")
    write(record, ENTRY_POINTS, "entry_points.txt")
    return site


def assay(home: Path, paths: list[Path], *arguments: str) -> tuple[int, str, str]:
    environment = {**os.environ, "ASSAY_HOME": str(home), "PYTHONPATH": os.pathsep.join(map(str, (CHECKOUT, *paths)))}
    command = [sys.executable, "-m", "pipelines.cli.main", *arguments]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_it_validates_in_a_study(tmp_path: Path, site: Path) -> None:
    write(tmp_path, SMALL + PARTS + CLAIM)
    assert assay(tmp_path, [site], "validate", "s.yaml") == (0, "s.yaml: valid dp-training study 'small', 1 trial (arms: 1, seeds: 1)\n", "")


def test_its_study_is_planned_and_keyed_by_its_code(tmp_path: Path, site: Path) -> None:
    write(tmp_path, SMALL + PARTS)

    def keys() -> dict[str, str]:
        code, out, err = assay(tmp_path, [site], "plan", "s.yaml", "--json")
        assert code == 0, err
        return {step["name"]: step["key"] for step in json.loads(out)["trials"][0]["steps"]}

    before = keys()
    write(site, MODULE.replace("Step slowly", "Step more slowly"), "calm_parts.py")
    after = keys()
    assert before["prepare"] == after["prepare"] and before["train"] != after["train"]


def test_its_fields_are_checked_as_ours_are(tmp_path: Path, site: Path) -> None:
    write(tmp_path, SMALL + "training: {optimizer: {kind: calm, patience: 0, patient: 1}}\nutility: [{kind: witt}]\n")
    code, _, err = assay(tmp_path, [site], "validate", "s.yaml")
    assert (code, err.splitlines()) == (
        2,
        [
            "s.yaml:5:36: training.optimizer.patience: must be at least 1 (got 0)",
            "s.yaml:5:49: training.optimizer.patient: unknown key; did you mean 'patience'?",
            "s.yaml:6:12: utility[0].kind: unknown kind 'witt'; did you mean 'wit'?",
        ],
    )


def test_it_is_listed_with_ours(tmp_path: Path, site: Path) -> None:
    code, out, _ = assay(tmp_path, [site], "components")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert "calm" in lines["optimizer"].split(", ") and "wit" in lines["utility"].split(", ")
    assert "Step slowly." in assay(tmp_path, [site], "components", "optimizer", "calm")[1]


def test_without_the_distribution_it_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, SMALL + PARTS)
    code, _, err = assay(tmp_path, [], "validate", "s.yaml")
    assert code == 2
    assert [line.split(": ", 2)[1] for line in err.splitlines()] == ["training.optimizer.kind", "utility[1].kind"]
