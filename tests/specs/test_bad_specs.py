"""Hand-made bad specs: each is refused with exactly its errors, one line each at its place, in process and by the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from specs.errors import SpecErrors
from specs.loading import load
from tests.specs.bad_specs import BAD, Bad
from tests.specs.given import TABLE, write

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table, and a file that is none."""
    write(tmp_path, TABLE, "t.csv")
    write(tmp_path, TABLE, "t.txt")
    return tmp_path


def messages(path: Path) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        load(path)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
def test_a_bad_spec_is_refused_with_exactly_its_errors(folder: Path, bad: Bad) -> None:
    path = write(folder, bad.text)
    starts = [": ".join(part for part in (f"{path}:{line}:{column}", where, message) if part) for line, column, where, message in bad.errors]
    found = messages(path)
    assert len(found) == len(starts), found
    for message, start in zip(found, starts, strict=True):
        assert message.startswith(start)
        assert message.isprintable() and len(message) < 1000


def test_there_are_many() -> None:
    assert len(BAD) >= 40
    assert len({bad.text for bad in BAD.values()}) == len(BAD)


def test_the_command_refuses_them_all_without_a_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write(folder, bad.text, f"bad-{index}.yaml") for index, bad in enumerate(BAD.values())]
    good = write(folder, "kind: dp-training\nname: good\ndata: {kind: synthetic-assistant, task: intent}\nmodel: {kind: linear}\n", "good.yaml")
    command = [sys.executable, "-m", "pipelines.cli.main", "validate", *map(str, files), str(good), str(folder / "missing.yaml")]
    environment = {**os.environ, "ASSAY_HOME": str(folder), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == f"{good}: valid dp-training study 'good', 1 trial (arms: 1, seeds: 1)\n"
    monkeypatch.chdir(folder)
    expected = [message for file in files for message in messages(file)]
    assert done.stderr.splitlines() == [*expected, f"{folder / 'missing.yaml'}:1:1: no such file"]


@pytest.mark.parametrize("source", ["~nobody-of-this-name/x", "/" + "a" * 500], ids=["home of nobody", "too long"])
def test_a_path_that_no_system_can_look_up_is_one_error(folder: Path, source: str) -> None:
    text = BAD["missing model folder"].text.replace("./nowhere", source)
    (found,) = messages(write(folder, text))
    assert found.startswith(f"{folder / 's.yaml'}:") and found.isprintable()
