"""Every kind of study is complete: its flows, its deployments, its first studies."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from specs.kinds import kinds

CHECKOUT = Path(__file__).resolve().parents[1]
DEPLOYMENTS = {"default": "{module}", "trial": "trial"}
"""What every kind deploys: name of the deployment, name of the flow in the kind's module."""


def lacking(kind: str, root: Path, modules: Any = importlib) -> list[str]:
    """What a kind lacks in a tree of specs and infra, and among the flows that ``modules`` imports."""
    module = kind.replace("-", "_")
    found = [f"specs/{module}/{name}" for name in ("README.md", "smoke.yaml") if not (root / "specs" / module / name).is_file()]
    deployed = yaml.safe_load((root / "infra" / "prefect.yaml").read_text())["deployments"]
    there = {(entry["entrypoint"], entry["name"]) for entry in deployed}
    for name, flow in DEPLOYMENTS.items():
        entrypoint = f"pipelines.{module}.{flow.format(module=module)}"
        if (entrypoint, name) not in there:
            found.append(f"deployment {kind}/{name}")
        if _flow_name(entrypoint, modules) != kind:
            found.append(f"flow {entrypoint} named {kind}")
    return found


def _flow_name(entrypoint: str, modules: Any) -> str | None:
    path, _, attribute = entrypoint.rpartition(".")
    try:
        return getattr(getattr(modules.import_module(path), attribute, None), "name", None)
    except ModuleNotFoundError:
        return None


@pytest.mark.parametrize("kind", kinds())
def test_a_kind_is_complete(kind: str) -> None:
    assert lacking(kind, CHECKOUT) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("specs", "infra"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "smoke.yaml"])
def test_a_missing_file_is_noticed(tree: Path, name: str) -> None:
    (tree / "specs" / "dp_training" / name).unlink()
    assert lacking("dp-training", tree) == [f"specs/dp_training/{name}"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_missing_deployment_is_noticed(tree: Path, name: str) -> None:
    path = tree / "infra" / "prefect.yaml"
    content = yaml.safe_load(path.read_text())
    content["deployments"] = [entry for entry in content["deployments"] if entry["name"] != name]
    path.write_text(yaml.safe_dump(content))
    assert lacking("dp-training", tree) == [f"deployment dp-training/{name}"]


class Modules:
    """Importing without a flow, or without the module."""

    def __init__(self, missing: str) -> None:
        self._missing = missing

    def import_module(self, name: str) -> Any:
        if name.endswith(self._missing):
            raise ModuleNotFoundError(name)
        found = importlib.import_module(name)
        return type("Without", (), {flow: getattr(found, flow) for flow in vars(found) if flow != self._missing})


def test_a_missing_flow_is_noticed() -> None:
    assert lacking("dp-training", CHECKOUT, Modules("trial")) == ["flow pipelines.dp_training.trial named dp-training"]


def test_a_missing_module_is_noticed() -> None:
    flows = ["flow pipelines.dp_training.dp_training named dp-training", "flow pipelines.dp_training.trial named dp-training"]
    assert lacking("dp-training", CHECKOUT, Modules("dp_training")) == flows


def test_a_new_kind_lacks_everything(tree: Path) -> None:
    assert len(lacking("some-kind", tree)) == 6


def test_deployments_name_no_folder_and_leave_validation_to_the_loader() -> None:
    content = yaml.safe_load((CHECKOUT / "infra" / "prefect.yaml").read_text())
    assert content["pull"] == [{"prefect.deployments.steps.set_working_directory": {"directory": "."}}]
    for entry in content["deployments"]:
        assert entry["enforce_parameter_schema"] is False and "assay" in entry["tags"] and entry["description"]
        assert ":" not in entry["entrypoint"] and str(CHECKOUT) not in str(entry)
        study = entry.get("parameters", {}).get("study")
        assert study is None or (CHECKOUT / study).is_file()
        for schedule in entry.get("schedules", ()):
            assert schedule["timezone"] and schedule["slug"] and entry["concurrency_limit"]["collision_strategy"]
