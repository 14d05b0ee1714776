"""What a run says of its data: where it comes from in MLflow's own words, counts, and no folder of anybody's machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.dataused import data_used
from tests.conftest import Prepare

FACTS: dict[str, Any] = {
    "kind": "clinc150",
    "task": "intent",
    "labels": ["a", "b"],
    "slots": [],
    "counts": {"train": 10, "test": 4},
    "groups": {},
    "users": {},
    "columns": ["text", "label"],
    "digest": "0" * 32,
    "split_digests": {"train": "1" * 32, "test": "2" * 32},
    "attack_holdout": 0,
    "public_size": None,
    "population": None,
    "source": {},
}


@pytest.mark.parametrize(
    ("source", "name", "found"),
    [
        ({"url": "https://me:secret@host/data.json"}, "clinc150", ("http", {"url": "https://me:***@host/data.json"})),
        ({"hub": "a/b", "config": "plus", "revision": "main"}, "clinc150", ("hugging_face", {"path": "a/b", "config_name": "plus", "revision": "main"})),
        ({"files": ["tickets.csv", "more.csv"]}, "tickets", ("local", {"uri": "tickets.csv, more.csv"})),
        ({"files": ["/home/me/secret/tickets.csv"]}, "tickets", ("local", {"uri": "tickets.csv"})),
        ({"licence": "generated"}, "clinc150", ("code", {"tags": {"made by": "data kind clinc150"}})),
    ],
)
def test_the_source_is_told_as_mlflow_links_it(source: dict[str, Any], name: str, found: tuple[str, dict[str, Any]]) -> None:
    trained, tested = data_used({**FACTS, "source": source})
    assert (trained.name, tested.name) == (name, f"{name} test")
    assert (trained.source_type, trained.source) == (tested.source_type, tested.source) == found
    assert "secret" not in json.dumps(found)


def test_counts_are_those_of_the_split_and_nothing_is_said_of_what_is_not_there() -> None:
    trained, tested = data_used({**FACTS, "groups": {"train": {"x": 7, "y": 3}, "test": {"x": 4}}, "users": {"train": 5}})
    assert dict(trained.profile) == {"num_rows": 10, "groups": {"x": 7, "y": 3}, "users": 5, "task": "intent", "splits": FACTS["counts"], "labels": 2}
    assert dict(tested.profile) == {"num_rows": 4, "groups": {"x": 4}}
    assert (trained.digest, tested.digest) == (FACTS["digest"], FACTS["split_digests"]["test"])
    assert len(data_used({**FACTS, "split_digests": {"train": "1" * 32}})) == 1


def test_prepared_files_have_all_that_is_told(prepare: Prepare, tmp_path: Path) -> None:
    """The facts that preparing really writes, of a table in a folder that nobody shall see."""
    folder = tmp_path / "payroll"
    folder.mkdir()
    (folder / "tickets.csv").write_text("utterance,intent\n" + "".join(f"say {index},{'on' if index % 2 else 'off'}\n" for index in range(40)))
    prepared = prepare({"kind": "files", "train": str(folder / "tickets.csv"), "columns": {"text": "utterance", "label": "intent"}})
    trained, tested = data_used(prepared.facts)
    assert (trained.name, trained.digest, dict(trained.columns)) == ("tickets", prepared.facts["digest"], {"text": "string", "label": "string"})
    told = json.dumps([trained.source, trained.profile, tested.profile])
    assert "payroll" not in told and "say " not in told and "tickets.csv" in told
