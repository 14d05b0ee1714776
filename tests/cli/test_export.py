"""`assay export`: a folder or a recorded trial becomes a Hugging Face folder; what cannot be is one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from transformers import AutoModel

from tasks.core.places import tracking_uri
from tests.cli.running import Done, assay
from tests.models.exports import MEMBER, PRIVATE, holding, save
from tests.models.samples import start
from tests.pipelines.inline import run

STUDY: dict[str, Any] = {
    "kind": "dp-training",
    "name": "inline",
    "data": {"kind": "synthetic-assistant", "examples": 200, "task": "intent"},
    "model": {"kind": "linear"},
    "training": {"epochs": 1},
    "sweep": {"seeds": [3, 1], "arms": {"plain": {}, "deep": {"model": {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2}}}},
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with two recorded studies: ``inline``, and ``onward``, which trained on the model of its ``deep`` arm with seed 3."""
    home = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ASSAY_STORE", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        patch.setenv("ASSAY_HOME", str(home))
        assert run(STUDY, patch).exit_code == 0
        source = trials("inline")["deep 3"].info.run_id
        assert run({**STUDY, "name": "onward", "sweep": {}, "model": {"kind": "mlflow", "run": source}}, patch).exit_code == 0
        yield home


@pytest.fixture
def recorded(studies: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home, for a command that runs in a folder of its own."""
    monkeypatch.setenv("ASSAY_HOME", str(studies))
    return studies


def trials(study: str) -> dict[str, Run]:
    """The runs of a study's trials."""
    client = MlflowClient(tracking_uri=tracking_uri())
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`assay.role` = 'trial'")
    return {f"{one.data.tags['arm']} {one.data.tags['seed']}": one for one in found}


@pytest.fixture
def artifact(folder: Path) -> Path:
    started, shape = start("bert", folder)
    return save(folder / "artifact", started, shape, PRIVATE)


def refused(done: Done, line: str) -> bool:
    assert (done.code, done.out) == (2, "") and len(done.error_lines) == 1, done
    assert line in done.err, done.err
    return True


def test_an_artifact_becomes_a_folder_that_transformers_loads(artifact: Path, folder: Path) -> None:
    done = assay("export", artifact, "--out", "made/here")
    assert done.code == 0 and not done.err, done
    assert f"exported: {folder / 'made' / 'here'} (loads with transformers or Assay" in done.out
    assert f"privacy guarantee: {PRIVATE['guarantee']}\n" in done.out
    AutoModel.from_pretrained(folder / "made" / "here")
    assert holding(folder / "made" / "here", MEMBER) == [] and holding(artifact, MEMBER)
    assert sorted(path.name for path in (folder / "made").iterdir()) == ["here"]  # nothing is left beside it


def test_a_folder_that_is_not_empty_is_replaced_by_force_alone(artifact: Path, folder: Path) -> None:
    (folder / "out").mkdir()
    assert assay("export", artifact, "--out", "out").code == 0  # an empty one is taken
    (folder / "out" / "mine.txt").write_text("x")
    assert refused(assay("export", artifact, "--out", "out"), "--out out is not empty; --force replaces it")
    assert (folder / "out" / "mine.txt").exists()
    assert assay("export", artifact, "--out", "out", "--force").code == 0
    assert not (folder / "out" / "mine.txt").exists() and (folder / "out" / "README.md").exists()
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_what_nobody_means_to_replace_stays(artifact: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("x")
    (folder / "repository" / ".git").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder / "me"))
    (folder / "me").mkdir()
    lines = {
        "file": "is a file",
        ".": "holds the current folder",
        "..": "holds the current folder",
        "me": "holds your home folder",
        "repository": "is a git repository",
        "artifact": "lie one in the other",
        "artifact/inside": "lie one in the other",
        "file/inside": "cannot be written",
    }
    before = sorted(folder.rglob("*"))
    for out, line in lines.items():
        assert refused(assay("export", artifact, "--out", out, "--force"), line)
    assert sorted(path for path in folder.rglob("*") if "home" not in path.parts) == before


def test_a_failed_export_leaves_what_was_there(artifact: Path, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("x")
    (artifact / "model.safetensors").write_bytes(b"broken")
    assert refused(assay("export", artifact, "--out", "out", "--force"), "its model cannot be loaded")
    assert sorted(path.name for path in folder.iterdir() if path.name != "home") == ["artifact", "out"]
    assert (folder / "out" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("run", "line"),
    [("empty", "empty: not a model artifact"), ("./absent", "no such folder: ./absent"), ("absent/", "no such folder: absent/")],
)
def test_a_folder_that_is_not_there_is_one_line(run: str, line: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    assert refused(assay("export", run, "--out", "out"), line)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("run", "line"),
    [
        ("0" * 32, f"run {'0' * 32}: not found in the MLflow store"),
        ("nothing", "run nothing: not found in the MLflow store"),
        ("inline", "'inline' is a study: say which of its models, inline/ARM or inline/ARM/SEED"),
        ("inlin", "no run, study or folder 'inlin'; did you mean 'inline'?"),
        ("inlin/deep", "no study 'inlin' was recorded; did you mean 'inline'?"),
        ("inline/dep", "study 'inline' has no arm 'dep'; did you mean 'deep'?"),
        ("inline/deep/2", "arm 'deep' of study 'inline' has no seed '2'; its seeds are 1, 3"),
    ],
)
def test_a_record_that_is_not_there_is_one_line(run: str, line: str, recorded: Path, folder: Path) -> None:
    assert refused(assay("export", run, "--out", "out"), line)
    assert not (folder / "out").exists()


def test_a_run_without_a_model_is_one_line(recorded: Path) -> None:
    parent = trials("inline")["deep 3"].data.tags["mlflow.parentRunId"]
    assert refused(assay("export", parent, "--out", "out"), f"run {parent}: it has no artifact 'model/'")


@pytest.mark.parametrize(("named", "seed"), [("inline/deep/3", "3"), ("inline/deep", "1"), (None, "3")])
def test_a_recorded_trial_is_exported_with_its_numbers(named: str | None, seed: str, recorded: Path, folder: Path) -> None:
    found = trials("inline")[f"deep {seed}"]
    assert assay("export", named or found.info.run_id, "--out", "out").code == 0
    card = (folder / "out" / "README.md").read_text()
    assert f"| MLflow run | `{found.info.run_id}` |" in card and f"# `inline: deep, seed {seed}`" in card
    metrics, tags = found.data.metrics, found.data.tags
    ends = " | ".join(f"{metrics['utility/accuracy' + end]:.6g}" for end in ("", "_low", "_high"))
    assert f"| `utility/accuracy` | {ends} |" in card and f"digest `{tags['data_digest']}`" in card and "train/loss" not in card
    submission = MlflowClient(tracking_uri=tracking_uri()).get_run(tags["mlflow.parentRunId"])
    assert f"| git commit | `{submission.data.tags['git_commit']}` |" in card and "version of torch" in card
    assert "**This model has no privacy guarantee.**" in card
    check_nobody_is_told(folder / "out", recorded)


def test_a_model_that_was_trained_on_is_named(recorded: Path, folder: Path) -> None:
    assert assay("export", "onward/main", "--out", "out").code == 0
    source = trials("inline")["deep 3"].info.run_id
    assert f"began with the weights of a recorded model: `{source}`" in (folder / "out" / "README.md").read_text()


def check_nobody_is_told(out: Path, home: Path) -> None:
    """No id and no text of a training record stands in the export; the ids do stand in the artifact."""
    (recorded, *_) = [path for path in home.rglob("data.json") if "members" in json.loads(path.read_text())]
    tables = [pd.read_parquet(path) for path in home.rglob("train.parquet")]
    ids, texts = {name for table in tables for name in table["id"]}, {text for table in tables for text in table["text"]}
    assert len(ids) > 100 and len(texts) > 50
    told = {path: path.read_bytes().decode(errors="replace") for path in out.rglob("*") if path.is_file()}
    assert not [path for path, text in told.items() if any(name in text for name in ids)]
    assert any(name in recorded.read_text() for name in ids)
    card = (out / "README.md").read_text().lower()
    assert not [text for text in texts if re.search(rf"\b{re.escape(text.lower())}\b", card)]
