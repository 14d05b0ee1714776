"""Specs at the limits, made to be slow, are read or refused at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from specs.errors import MOST_ERRORS
from tests.specs.given import SMALL, refused


def entries(count: int, pattern: str) -> str:
    return ", ".join(pattern.replace("#", str(index)) for index in range(count))


ARMS = "sweep: {arms: {" + entries(1000, "arm#: {}") + "}}\n"
CLAIM = "{id: c#, says: b, metric: utility/accurasy#, arm: zrm#, versus: x#, better: true}"

SLOW = {
    "unknown keys": entries(9000, "trainingx#: 1\n").replace(", ", ""),
    "long unknown keys": entries(4000, "training" * 15 + "#: 1\n").replace(", ", ""),
    "unknown kinds": f"utility: [{entries(6000, '{kind: accurac#}')}]\n",
    "claims about unknown arms": f"{ARMS}claims: [{entries(1200, CLAIM)}]\n",
    "gates for unknown arms": f"{ARMS}gates: [{{metric: utility/loss, at_most: 1, arms: [{entries(9000, 'brm#')}]}}]\n",
    "changes of unknown keys": f"sweep: {{arms: {{a: {{{entries(9000, 'training.x#: 1')}}}}}}}\n",
    "changes below unknown keys": f"sweep: {{arms: {{a: {{{entries(9000, 'training.x#.y: 1')}}}}}}}\n",
    "a merged block of unknown keys": f"sweep: {{arms: {{a: {{training: {{{entries(9000, 'x#: 1')}}}}}}}}}\n",
    "a grid of unknown keys": f"sweep: {{grid: {{{entries(6000, 'training.x#: [1]')}}}}}\n",
    "wrong arms": f"sweep: {{arms: {{{entries(1000, 'a#: {trainin.epochs: 1, model.foo: 2}')}}}}}\n",
    "duplicate keys": "version: 1\n" * 9000,
}


@pytest.mark.parametrize("name", SLOW)
def test_a_flood_is_refused_at_once(tmp_path: Path, name: str) -> None:
    begun = time.process_time()  # not the clock: other work on the machine is not its fault
    found = refused(tmp_path, SMALL + SLOW[name])
    assert time.process_time() - begun < 4
    assert len(found) == MOST_ERRORS + 1
    assert all(len(str(error)) < 1000 for error in found)
