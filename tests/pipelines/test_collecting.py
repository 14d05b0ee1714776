"""gc removes what no study needs and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.collecting import collect
from tasks.core.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "store"))
    for key in ("a", "b", "c"):
        folder = tmp_path / "made"
        folder.mkdir()
        (folder / "x").write_text(key)
        store.commit(key, folder, {})
    (store.local / "studies").mkdir()
    (store.local / "studies" / "one.json").write_text(json.dumps({"keys": ["a", "u"]}))
    (store.local / "studies" / "two.json").write_text(json.dumps({"keys": ["a", "b"]}))
    for key in ("u", "v"):
        store.scratch(key).mkdir(parents=True)
    (store.local / "artifacts" / ".b.123").mkdir()
    return store


def test_what_a_study_needs_stays(store: Store) -> None:
    found = collect(store, [], dry_run=False)
    assert store.keys() == ["a", "b"]
    assert store.unfinished() == ["u"]
    assert store.asides() == []
    assert (found.artifacts, found.leftovers, found.kept, found.studies) == (1, 2, 2, 2)


def test_a_dry_run_removes_nothing(store: Store) -> None:
    found = collect(store, ["two"], dry_run=True)
    assert (found.artifacts, found.kept) == (2, 1)
    assert store.keys() == ["a", "b", "c"] and store.unfinished() == ["u", "v"]
    assert (store.local / "studies" / "two.json").exists()


def test_a_study_can_be_forgotten(store: Store) -> None:
    collect(store, ["two"], dry_run=False)
    assert store.keys() == ["a"]
    with pytest.raises(KeyError):
        collect(store, ["two"], dry_run=False)


def test_what_a_process_works_on_stays(store: Store) -> None:
    with store.lock("c"):
        found = collect(store, [], dry_run=False)
    assert found.busy == 1 and store.has("c")
