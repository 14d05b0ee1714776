"""`assay schema` prints or writes the JSON Schema of specs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import assay


def test_it_is_printed_or_written(folder: Path) -> None:
    printed = assay("schema")
    written = assay("schema", "--out", "schema.json")
    assert (printed.code, written.code, written.out) == (0, 0, "written: schema.json\n")
    assert (folder / "schema.json").read_text() == printed.out
    assert json.loads(printed.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_one_kind_alone() -> None:
    assert json.loads(assay("schema", "dp-training").out)["properties"]["kind"]["const"] == "dp-training"


def test_a_place_that_cannot_be_written_is_one_line() -> None:
    done = assay("schema", "--out", "none/schema.json")
    assert (done.code, done.out, done.error_lines) == (2, "", ["assay: none/schema.json cannot be written: No such file or directory"])
