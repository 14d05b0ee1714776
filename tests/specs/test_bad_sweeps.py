"""A sweep that cannot be expanded is refused where it was written, before anything of its size is made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from specs.sweep import MOST_TRIALS
from tests.specs.given import SMALL, loaded, refused


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        pytest.param("seeds: [1, 2, 1]", ["6:17: sweep.seeds[2]: the seed 1 is given twice"], id="seeds twice"),
        pytest.param("seeds: []", ["6:3: sweep.seeds: must have no fewer entries than 1 (got an empty list)"], id="no seeds"),
        pytest.param("seeds: 5", ["6:3: sweep.seeds: must be a list (got 5)"], id="seeds that are no list"),
        pytest.param("seeds: [-1, 1.5, true]", [*(f"6:{column}: sweep.seeds[{n}]" for n, column in enumerate((11, 15, 20)))], id="seeds that are none"),
        pytest.param("{baseline: smal, arms: {small: {}}}", ["6:4: sweep.baseline: no arm is named 'smal'; did you mean 'small'?"], id="baseline"),
        pytest.param("baseline: zzz", ["6:3: sweep.baseline: no arm is named 'zzz'; the arms are main"], id="baseline without arms"),
        pytest.param("arms: {a b: {}}", ["6:10: sweep.arms.a b: must be a name of 1 to 64 letters"], id="arm with a space"),
        pytest.param("arms: [a]", ["6:3: sweep.arms: must be a block of keys (got a list of 1)"], id="arms that are a list"),
        pytest.param("arms: {a: 5}", ["6:10: sweep.arms.a: must be a block of keys (got 5)"], id="arm that is a number"),
        pytest.param("arms: {a: {training.epoch: 1}}", ["6:14: sweep.arms.a.training.epoch: unknown key; did you mean 'epochs'?"], id="path that is none"),
        pytest.param("arms: {a: {training: {epoch: 1}}}", ["6:25: sweep.arms.a.training.epoch: unknown key; did you mean 'epochs'?"], id="key that is none"),
        pytest.param("arms: {a: {trainin: null}}", ["6:14: sweep.arms.a.trainin: unknown key; did you mean 'training'?"], id="null for no key"),
        pytest.param("arms: {a: {data: null}}", ["6:14: sweep.arms.a.data: is required"], id="null for a required key"),
        pytest.param("arms: {a: {training.epochs: -1}}", ["6:14: sweep.arms.a.training.epochs: must be greater than 0 (got -1)"], id="wrong value"),
        pytest.param("arms: {a: {model: {kind: lnear}}}", ["6:22: sweep.arms.a.model.kind: unknown kind 'lnear'; did you mean 'linear'?"], id="unknown kind"),
        pytest.param("arms: {a: {name: b}}", ["6:14: sweep.arms.a.name: 'name' belongs to the whole study and cannot vary"], id="fixed key"),
        pytest.param("arms: {a: {sweep.seeds: [1]}}", ["6:14: sweep.arms.a.sweep.seeds: 'sweep' belongs to the whole study"], id="sweep in a sweep"),
        pytest.param("arms: {a: {utility.0: 1}}", ["6:14: sweep.arms.a.utility.0: 'utility' is a list, which is replaced as a whole"], id="into a list"),
        pytest.param("arms: {a: {version.x: 1}}", ["6:14: sweep.arms.a.version.x: 'version' belongs to the whole study"], id="below a fixed key"),
        pytest.param(
            "arms: {a: {training.epochs.x: 1}}", ["6:14: sweep.arms.a.training.epochs.x: 'training.epochs' is a value, not a block"], id="into a value"
        ),
        pytest.param("arms: {a: {training..epochs: 1}}", ["6:14: sweep.arms.a.training..epochs: is no dotted path"], id="empty part"),
        pytest.param("grid: {'': [1]}", ["6:15: sweep.grid.''[0]: is no dotted path"], id="empty path"),
        pytest.param("grid: {training.epochs: 3}", ["6:10: sweep.grid.training.epochs: must be a list (got 3)"], id="grid that is no list"),
        pytest.param("grid: {training.epochs: []}", ["6:10: sweep.grid.training.epochs: must have no fewer entries than 1"], id="empty grid"),
        pytest.param("grid: {training.epochs: [3, 4, 3]}", ["6:34: sweep.grid.training.epochs[2]: the value is given twice"], id="grid value twice"),
        pytest.param("grid: {training.epochs: [3, -4]}", ["6:31: sweep.grid.training.epochs[1]: must be greater than 0 (got -4)"], id="wrong grid value"),
        pytest.param(
            "{arms: {a: {training.epochs: 1}}, grid: {training.epochs: [2]}}",
            ["6:44: sweep.grid.training.epochs: also changes what 'a.training.epochs' sets"],
            id="grid against arm",
        ),
        pytest.param(
            "grid: {training: [{epochs: 2}], training.epochs: [3]}",
            ["6:35: sweep.grid.training.epochs: also changes what 'training.0.epochs' sets"],
            id="grid against grid",
        ),
    ],
)
def test_a_bad_sweep_is_told_where_it_is_written(tmp_path: Path, sweep: str, expected: list[str]) -> None:
    found = [str(error) for error in refused(tmp_path, f"{SMALL}sweep:\n  {sweep}\n")]
    assert [line.startswith(f"{tmp_path / 's.yaml'}:{start}") for line, start in zip(found, expected, strict=True)] == [True] * len(expected), found


def test_every_bad_arm_is_told_on_its_own_line(tmp_path: Path) -> None:
    arms = "\n".join(f"    arm-{index}:\n      training.epochs: {value}" for index, value in enumerate((-1, 2, "x")))
    found = refused(tmp_path, f"{SMALL}sweep:\n  arms:\n{arms}\n")
    assert [(error.line, error.path) for error in found] == [(8, "sweep.arms.arm-0.training.epochs"), (12, "sweep.arms.arm-2.training.epochs")]


def test_an_error_of_the_base_is_told_once_and_there(tmp_path: Path) -> None:
    found = refused(tmp_path, SMALL + "training: {epochs: -1}\nsweep: {arms: {a: {}, b: {model.bigram_buckets: 0}, c: {training.epochs: 3}}}\n")
    assert [(error.line, error.path) for error in found] == [(5, "training.epochs")]


def test_errors_of_base_and_arms_come_together(tmp_path: Path) -> None:
    found = refused(tmp_path, SMALL + "version: 0\nsweep: {arms: {a: {training.epochs: -1}}, seeds: [1, 1]}\n")
    assert [error.path for error in found] == ["version", "sweep.arms.a.training.epochs", "sweep.seeds[1]"]


@pytest.mark.parametrize(
    ("sweep", "size"),
    [
        (f"{{seeds: [{', '.join(map(str, range(MOST_TRIALS + 1)))}]}}", "1,001"),
        (f"{{seeds: [{', '.join(map(str, range(19_000)))}]}}", "19,000"),
        (f"{{grid: {{{', '.join(f'training.x{n}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]' for n in range(12))}}}}}", "1,000,000,000,000"),
    ],
)
def test_a_sweep_that_is_too_large_is_refused_before_it_is_made(tmp_path: Path, sweep: str, size: str) -> None:
    begun = time.monotonic()
    (found,) = refused(tmp_path, f"{SMALL}sweep: {sweep}\n")
    assert (found.line, found.path) == (5, "sweep")
    assert found.message.startswith(f"makes {size} trials (") and len(str(found)) < 1000
    assert time.monotonic() - begun < 2


def test_the_largest_sweep_is_read_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    arms = ", ".join(f"a{index}: {{training.epochs: {index + 1}}}" for index in range(MOST_TRIALS))
    assert len(loaded(tmp_path, f"{SMALL}sweep: {{arms: {{{arms}}}}}\n").trials) == MOST_TRIALS
    assert time.monotonic() - begun < 10
