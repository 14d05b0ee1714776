"""A training that was killed and goes on equals one that was never killed, to the last bit."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from tasks.core.step import Report
from tasks.training import checkpoint
from tests.conftest import Prepare
from tests.training.trainings import ADAMW, BERT, BILSTM, DATA, GPT2, MOMENTUM, Clock, Killed, equal, killed_at, loop, weights

EVERY = 10.0
"""Seconds of the planned clock between checkpoints: every third or fourth step."""
STOPPING = {"metric": "loss", "patience": 2}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "bilstm adamw": ("joint", BILSTM, {"epochs": 3, "expected_batch_size": 32, "optimizer": ADAMW}),
    "bilstm momentum": ("joint", BILSTM, {"epochs": 3, "expected_batch_size": 32, "optimizer": MOMENTUM, "schedule": {"kind": "cosine", "warmup": 0.2}}),
    "bert clipped": ("intent", BERT, {"epochs": 2.5, "expected_batch_size": 32, "optimizer": ADAMW, "max_gradient_norm": 0.5}),
    "gpt2 adamw": ("lm", GPT2, {"epochs": 1, "expected_batch_size": 24, "optimizer": ADAMW}),
    "bert masked": ("mlm", {**BERT, "tokenizer": GPT2["tokenizer"]}, {"epochs": 1, "expected_batch_size": 24, "optimizer": ADAMW}),
    "gpt2 momentum": ("lm", GPT2, {"epochs": 1, "expected_batch_size": 24, "optimizer": MOMENTUM}),
    "bilstm early stopping": (
        "intent",
        BILSTM,
        {"epochs": 5, "expected_batch_size": 32, "optimizer": {**ADAMW, "learning_rate": 0.3}, "early_stopping": STOPPING},
    ),
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())


def series(folder: Path) -> list[tuple[str, int, float]]:
    lines = (folder / "report" / "metrics.jsonl").read_text().splitlines()
    return [(point["name"], point["step"], point["value"]) for point in map(json.loads, lines)]


def progress(found: checkpoint.Progress) -> dict[str, Any]:
    """What must not depend on kills: everything but seconds and memory."""
    return {name: value for name, value in asdict(found).items() if name not in ("seconds", "peak_memory_mib")}


@pytest.mark.parametrize("case", sorted(CASES))
def test_restart_at_step_k_equals_a_run_that_reached_step_k(case: str, prepare: Prepare, tmp_path: Path) -> None:
    """Killed twice, each time some steps after a checkpoint, so that steps are done again."""
    task, model, training = CASES[case]
    data = prepare({**DATA, "task": task})
    whole = loop(data, model, training, tmp_path / "whole")
    ended = whole.run()
    lost = []
    for kill in (5, ended.step - 2):
        broken = loop(data, model, training, tmp_path / "broken")
        broken.checkpoint_seconds, broken.gradient = EVERY, killed_at(kill, broken.gradient)
        with pytest.raises(Killed):
            broken.run()
        [kept] = (tmp_path / "broken" / "checkpoint").iterdir()
        lost.append(kill - int(kept.name.removeprefix("step-")))
    assert all(0 <= steps < 5 for steps in lost) and any(lost)
    torch.manual_seed(99)  # a new process has other global state
    resumed = loop(data, model, training, tmp_path / "broken", seed=3)
    assert progress(resumed.run()) == progress(ended)
    assert equal(weights(whole.network), weights(resumed.network))
    assert series(tmp_path / "broken") == series(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["optimizer", "step", "weights"])
def test_a_part_that_a_checkpoint_forgets_would_be_seen(lost: str, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model, training = CASES["bilstm adamw"]
    data = prepare({**DATA, "task": task})
    whole, broken = (loop(data, model, training, tmp_path / name) for name in ("whole", "broken"))
    whole.run()
    broken.checkpoint_seconds, broken.gradient = EVERY, killed_at(6, broken.gradient)
    with pytest.raises(Killed):
        broken.run()
    resumed = loop(data, model, training, tmp_path / "broken")
    if lost == "optimizer":
        monkeypatch.setattr(resumed.optimizer, "load_state_dict", lambda state: None)
    elif lost == "weights":
        monkeypatch.setattr(checkpoint, "restore", lambda network, tensors: None)
    else:
        kept = checkpoint.load
        monkeypatch.setattr(checkpoint, "load", lambda *given: (checkpoint.Progress(), kept(*given)[1]))
    resumed.run()
    assert not equal(weights(whole.network), weights(resumed.network))


def test_a_series_that_is_not_rewound_would_be_seen(prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model, training = CASES["bilstm adamw"]
    data = prepare({**DATA, "task": task})
    loop(data, model, training, tmp_path / "whole").run()
    monkeypatch.setattr(Report, "rewind", lambda report, step: None)
    broken = loop(data, model, training, tmp_path / "broken")
    broken.checkpoint_seconds, broken.gradient = EVERY, killed_at(6, broken.gradient)
    with pytest.raises(Killed):
        broken.run()
    loop(data, model, training, tmp_path / "broken").run()
    assert len(series(tmp_path / "broken")) > len(series(tmp_path / "whole"))


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model, training = CASES["bilstm adamw"]
    data = prepare({**DATA, "task": task})
    whole, broken = (loop(data, model, training, tmp_path / name) for name in ("whole", "broken"))
    whole.run()
    saved, count = safetensors.torch.save_file, iter(range(100))

    def dies(tensors: Any, path: str) -> None:
        saved(tensors, path)
        if next(count) == 1:
            Path(path).write_bytes(Path(path).read_bytes()[:100])
            raise Killed

    monkeypatch.setattr(checkpoint, "save_file", dies)
    broken.checkpoint_seconds = EVERY
    with pytest.raises(Killed):
        broken.run()
    left = sorted(path.name.split("-")[0] for path in (tmp_path / "broken" / "checkpoint").iterdir())
    assert left == ["aside", "step"]
    resumed = loop(data, model, training, tmp_path / "broken")
    resumed.checkpoint_seconds = EVERY
    resumed.run()
    assert equal(weights(whole.network), weights(resumed.network))
    assert [path.name.split("-")[0] for path in (tmp_path / "broken" / "checkpoint").iterdir()] == ["step"]


def test_a_checkpoint_holds_no_pickle(prepare: Prepare, tmp_path: Path) -> None:
    task, model, training = CASES["bilstm early stopping"]
    found = loop(prepare({**DATA, "task": task}), model, training, tmp_path)
    found.checkpoint_seconds = 0
    found.run()
    [kept] = (tmp_path / "checkpoint").iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["state.json", "tensors.safetensors"]


def test_the_best_weights_outlive_a_kill(prepare: Prepare, tmp_path: Path) -> None:
    """The best epoch is before the kill and nothing better comes after it."""
    _, _, training = CASES["bilstm early stopping"]
    data = prepare({**DATA, "task": "intent"})
    seen, ends = [], []
    for name, kill in (("whole", None), ("broken", 10), ("broken", None)):
        found = loop(data, BILSTM, training, tmp_path / name)
        found.evaluate = lambda network=found.network: seen.append(weights(network)) or {"loss": float(len(seen) % 4)}  # type: ignore[misc,func-returns-value]
        if kill is not None:
            seen.clear()
            found.checkpoint_seconds, found.gradient = EVERY, killed_at(kill, found.gradient)
            with pytest.raises(Killed):
                found.run()
            assert len(seen) == 2 and (tmp_path / name / "checkpoint").exists()
            continue
        found.run()
        ends.append(weights(found.network))
        assert equal(ends[-1], seen[0]) and not equal(ends[-1], seen[-1])
    assert equal(*ends)
