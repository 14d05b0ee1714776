"""A study that came through a server reads no file outside the configured folders, whichever component names it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from specs.errors import SpecErrors
from specs.families import families
from specs.loading import load_mapping
from tasks.core.component import Component
from tasks.core.roots import outside, roots

STUDY: dict[str, Any] = {"kind": "dp-training", "name": "thief", "data": {"kind": "snips", "task": "intent"}, "model": {"kind": "linear"}}
FEDERATED: dict[str, Any] = {
    "kind": "fl-selection",
    "name": "thief",
    "data": STUDY["data"],
    "model": {"kind": "linear"},
    "partition": {"kind": "iid", "devices": 9},
}
EVALUATION: dict[str, Any] = {
    "kind": "fairness-evaluation",
    "name": "thief",
    "models": [{"label": "a", "model": {"kind": "bilstm"}, "data": STUDY["data"]}],
    "fairness": [{"kind": "seat", "words": "synthetic-valence"}],
}
COLUMNS = {"text": "text", "label": "label"}


def naming(place: str) -> dict[str, dict[str, Any]]:
    """A study for every field of a component that can name a file or a folder of the machine."""
    tables = {"kind": "files", "train": "in.csv", "test": 0.2, "columns": COLUMNS}
    published = {"kind": "pretrained", "source": place}
    return {
        "files.train": {**STUDY, "data": {**tables, "train": place}},
        "files.validation": {**STUDY, "data": {**tables, "validation": place}},
        "files.test": {**STUDY, "data": {**tables, "test": place}},
        "hub.path": {**STUDY, "data": {"kind": "hub", "path": place, "revision": "0" * 40, "columns": COLUMNS}},
        "model pretrained.source": {**STUDY, "model": published},
        "trace.path": {**FEDERATED, "federation": {"availability": {"kind": "trace", "path": place}}},
        "flower-deployment.root_certificates": {
            **FEDERATED,
            "federation": {"engine": {"kind": "flower-deployment", "address": "a:9", "root_certificates": place}},
        },
        "tokenizer pretrained.source": {**STUDY, "model": {"kind": "bilstm", "tokenizer": published}},
        "models pretrained.source": {**EVALUATION, "models": [{"label": "a", "model": published}]},
        "models files.train": {**EVALUATION, "models": [{"label": "a", "model": {"kind": "linear"}, "data": {**tables, "train": place}}]},
        "fairness files.test": {**EVALUATION, "fairness": [{"kind": "rate-gaps", "data": {**tables, "train": place}}]},
        "fairness group-labels.data": {
            **EVALUATION,
            "fairness": [{"kind": "prediction-sensitivity", "protected_model": {"kind": "bilstm"}, "protected_data": labelled(tables, place)}],
        },
    }


def labelled(tables: dict[str, Any], place: str) -> dict[str, Any]:
    return {"kind": "group-labels", "data": {**tables, "train": place, "columns": {**COLUMNS, "group": "label"}}}


TARGETS = {"files": "secret.csv", "trace": "secret.json", "flower-deployment": "secret.csv"}
"""What a field would read; a model where it is none of these."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a table in it, beside a secret one and a model."""
    inside = tmp_path / "inside"
    (tmp_path / "model").mkdir(parents=True)
    inside.mkdir()
    for path in (inside / "in.csv", tmp_path / "secret.csv"):
        path.write_text("text,label\n" + "one,a\ntwo,b\n" * 20)
    (tmp_path / "secret.json").write_text('{"phone": {"active": [0], "inactive": [5], "finish_time": 9}}')
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    monkeypatch.setenv("ASSAY_ROOTS", str(inside))
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    return tmp_path


def refusals(study: dict[str, Any], folder: Path, allowed: tuple[Path, ...] | None) -> list[str]:
    try:
        load_mapping(study, folder=folder / "inside", roots=allowed)
    except SpecErrors as errors:
        return [error.message for error in errors.errors if "lies outside" in error.message]
    return []


@pytest.mark.parametrize("where", naming(""))
@pytest.mark.parametrize("way", ["absolute", "climbing", "linked"])
def test_a_place_outside_is_refused(folder: Path, where: str, way: str) -> None:
    target = folder / TARGETS.get(where.split(".")[0], "model")
    (folder / "inside" / "link").symlink_to(target)
    places = {"absolute": str(target), "climbing": f"{folder}/inside/../{target.name}", "linked": f"{folder}/inside/link"}
    study = naming(places[way])[where]
    assert refusals(study, folder, roots()), f"{where} read a file that is {way} outside"
    assert not refusals(study, folder, None), "a person's own file was refused"


def test_what_is_not_there_is_told_no_other_way_than_what_is(folder: Path) -> None:
    there, absent = (refusals(naming(str(folder / name))["files.train"], folder, roots()) for name in ("secret.csv", "absent.csv"))
    assert [text.replace("secret", "absent") for text in there] == absent


def test_every_field_that_can_name_a_file_is_tried() -> None:
    tried = {name.split()[-1] for name in naming("")}
    assert set(_fields()) <= tried, "a component names files: give it check_readable or check_source, and a line in `naming`"


def _fields() -> Iterator[str]:
    for family in families().values():
        for kind, member in family.members().items():
            assert issubclass(member, Component)
            for name, field in member.model_fields.items():
                if Path in (field.annotation, *get_args(field.annotation)) or name in ("source", "path", "folder", "file"):
                    yield f"{kind}.{name}"


def test_the_roots_are_the_home_s_specs_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("ASSAY_ROOTS", raising=False)
    assert outside(tmp_path / "specs" / "a.yaml", roots()) is None and outside(tmp_path / "data" / "snips" / "x", roots()) is None
    assert outside(tmp_path / "mlruns" / "ledger.db", roots()) is not None and outside(Path("/etc/passwd"), roots()) is not None
    monkeypatch.setenv("ASSAY_ROOTS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    assert outside(tmp_path / "two" / "a.yaml", roots()) is None and outside(tmp_path / "specs" / "a.yaml", roots()) is not None
