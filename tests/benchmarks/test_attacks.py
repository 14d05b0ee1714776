"""The benchmark of attacks: every part gives rows, targets hold where a GPU is, and both layouts train the same steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmarks import _attacks_shadows, attacks
from tests.benchmarks._attacks_exposure import exposure_rows
from tests.benchmarks._attacks_scoring import scoring_rows
from tests.benchmarks._attacks_shadows import TARGETS, Target, row, shadow_rows

SMALL = {"linear": {"bigram_buckets": 64}, "bilstm": {"hidden_size": 8, "embedding_size": 8}, "bert 2x128": {"hidden_size": 16}}
POOLS = {"kind": "synthetic-assistant", "examples": 150, "task": "intent", "public_size": 70, "attack_holdout": 40}


def tiny(target: Target) -> Target:
    """Of the same kind, in a few records."""
    tokens = {"kind": "hashing", "buckets": 50, "max_tokens": 12}
    return replace(target, block={**target.block, **SMALL[target.name], "tokenizer": tokens}, data=POOLS, shadows=3)


def test_every_target_is_trained_in_both_layouts() -> None:
    found = {one["name"]: one for one in shadow_rows("cpu", 2, tuple(map(tiny, TARGETS)))}
    ends = ("one after another", "stacked", "times faster stacked")
    assert list(found) == [f"3 shadows of {target.name}, cpu: {end}" for target in TARGETS for end in ends]
    assert {target.shadows for target in TARGETS} == {16}
    assert all(one["value"] > 0 and one["target"] is None and one["met"] is None for one in found.values())


def test_a_ratio_is_that_of_the_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it has a target on a GPU, which a slower stack misses."""
    spent = {"cuda": ([0.4, 0.5, 0.6], [0.1, 0.1, 0.1]), "cuda:1": ([0.3], [0.1])}
    monkeypatch.setattr(_attacks_shadows, "seconds", lambda target, device, steps, folder: spent[device])
    _, stacked, fast = shadow_rows("cuda", 3, TARGETS[:1])
    assert stacked["value"] == 100 and fast == row("16 shadows of linear, cuda: times faster stacked", 5.0, "x", 4.0) and fast["met"]
    assert list(shadow_rows("cuda:1", 1, TARGETS[2:]))[-1]["met"] is False
    assert list(shadow_rows("cuda:1", 1, TARGETS[1:2]))[-1]["target"] is None


@pytest.mark.parametrize("gpu", [True, False])
def test_parts_are_asked_for_by_name_on_every_device(gpu: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def part(name: str) -> Any:
        return lambda given, device: iter([row(f"{name}, {device}", 2.0, "x", 4.0)])

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(attacks, "PARTS", {name: part(name) for name in ("shadows", "scoring")})
    attacks.main(["--json", "--only", "sc"])
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == [f"scoring, {device}" for device in ("cpu", "cuda")[: 1 + gpu]]
    attacks.main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * (1 + gpu) and all(line.endswith("target 4: missed") for line in lines)


def test_scoring_and_exposure_are_timed_and_have_targets() -> None:
    scored, exposed = list(scoring_rows(200)), list(exposure_rows(2))
    assert scored[0]["name"] == "scoring/lira online/200 records" and all(one["met"] for one in scored) and len(scored) == 5
    assert [one["target"] for one in exposed] == [None, 20.0] and all(one["value"] > 0 for one in exposed)


def test_pools_are_drawn_by_coins_of_their_own(tmp_path: Path) -> None:
    pools = _attacks_shadows._pools(tiny(TARGETS[0]), tmp_path)
    assert len({json.loads((pool / "data.json").read_text())["digest"] for pool in pools}) == 3
