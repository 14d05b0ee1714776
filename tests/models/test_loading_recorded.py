"""A folder of our own, an artifact or an export, is loaded as it is: its answers, its labels, its guarantee, and who was in its data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.models.architectures.pretrained import Pretrained
from tasks.models.artifact import load_model
from tasks.models.finding import artifact_in
from tasks.models.model import ModelError
from tasks.models.steps import LoadConfig, load
from tests.conftest import NewRun
from tests.models.exports import DATA, PRIVATE, export_sample, exported, save
from tests.models.samples import BLOCKS, farthest, inputs, publish, start

NAMES = sorted(BLOCKS)


def block(source: Path) -> dict[str, Any]:
    return {"kind": "pretrained", "source": str(source)}


def loaded(source: Path, new_run: NewRun, read_as: str = "auto") -> Path:
    run = new_run()
    load(LoadConfig.model_validate({"model": block(source), "read_as": read_as}), {}, 0, run)
    return run.folder


def facts(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_export", [False, True], ids=["artifact", "export"])
def test_it_answers_as_before_and_its_facts_stay(name: str, as_export: bool, tmp_path: Path, new_run: NewRun) -> None:
    started, shape, out = export_sample(name, tmp_path, PRIVATE)
    folder = loaded(out if as_export else tmp_path / "artifact", new_run)
    found = load_model(folder, "cpu")
    batch = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    assert found.shape == shape and farthest(started.network(**batch), found.network(**batch)) == 0
    assert facts(folder, "privacy") == PRIVATE
    kept = {key: value for key, value in DATA.items() if key != "members"} if as_export else DATA  # an export tells of no member
    told = facts(folder, "data")
    assert {key: told.get(key) for key in DATA} == {key: kept.get(key) for key in DATA}
    assert told["split_digests"] == {} and told["labels"] == list(shape.labels)  # so that it stands where prepared data does


def test_the_base_of_a_recorded_model_is_kept_alike(tmp_path: Path, new_run: NewRun) -> None:
    started, shape = start("bilstm", tmp_path)
    save(tmp_path / "artifact", started, shape, PRIVATE)
    run = new_run()
    load(LoadConfig.model_validate({"model": {"kind": "mlflow", "run": "abc"}}), {"base": tmp_path / "artifact"}, 0, run)
    by_folder = loaded(tmp_path / "artifact", new_run)
    for name in ("data", "privacy", "labels", "config"):
        assert facts(run.folder, name) == facts(by_folder, name)


@pytest.mark.parametrize(("name", "fits", "unfit"), [("linear", "classifier", "tagger"), ("bilstm", "tagger", "causal-lm"), ("gpt2", "causal-lm", "masked-lm")])
def test_it_is_read_only_as_what_it_was_trained_for(name: str, fits: str, unfit: str, tmp_path: Path, new_run: NewRun) -> None:
    started, shape = start(name, tmp_path)
    artifact = save(tmp_path / "artifact", started, shape)
    assert load_model(loaded(artifact, new_run, fits), "cpu").shape == load_model(loaded(artifact, new_run, "encoder"), "cpu").shape == shape
    with pytest.raises(ModelError, match=f"was trained for task '{shape.task}': it has no trained answers as {unfit}"):
        loaded(artifact, new_run, unfit)


def test_only_an_artifact_is_taken_for_one(tmp_path: Path) -> None:
    started, shape = start("bilstm", tmp_path)
    artifact = save(tmp_path / "artifact", started, shape)
    exported(artifact, tmp_path / "out")
    assert artifact_in(artifact) == artifact and artifact_in(tmp_path / "out") == tmp_path / "out" / "assay"
    assert artifact_in(publish(tmp_path / "published", shape)) is None and artifact_in(tmp_path / "absent") is None
    for name in ("config.json", "labels.json", "model.safetensors"):
        shutil.copytree(artifact, tmp_path / f"without-{name}")
        (tmp_path / f"without-{name}" / name).unlink()
        assert artifact_in(tmp_path / f"without-{name}") is None
    with pytest.raises(ValidationError, match=r"no \*\.safetensors there"):
        Pretrained.model_validate(block(tmp_path / "without-model.safetensors"))


def test_a_broken_one_gives_one_line(tmp_path: Path, new_run: NewRun) -> None:
    started, shape = start("linear", tmp_path)
    artifact = save(tmp_path / "artifact", started, shape)
    (artifact / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"its model cannot be loaded \(SafetensorError: ") as caught:
        loaded(artifact, new_run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "labels.json", "data.json", "privacy.json", "tokenizer/config.json", "model.safetensors"])
def test_what_it_is_follows_from_every_file_of_it(file: str, tmp_path: Path) -> None:
    """Whichever changes, what was worked out from it must be worked out anew; its place and what tells how its training went do not count."""
    started, shape = start("linear", tmp_path)
    artifact = save(tmp_path / "artifact", started, shape)
    before = Pretrained.model_validate(block(artifact)).content_digest()
    (artifact / "metrics.jsonl").write_text("")
    artifact = artifact.rename(tmp_path / "moved")
    assert Pretrained.model_validate(block(artifact)).content_digest() == before
    (artifact / file).write_bytes((artifact / file).read_bytes() + b" ")
    assert Pretrained.model_validate(block(artifact)).content_digest() != before
