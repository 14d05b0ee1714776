"""Which layout is faster: both are timed, the faster is told, and what cannot be stacked is told with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tasks.federated.client import Client
from tasks.federated.layout import measure_layout as measure_cohort
from tasks.models.model import MODELS, Architecture
from tasks.training import layout
from tasks.training.layout import compared, measure_layout, seconds_of
from tasks.training.stack import NotStackable
from tasks.training.training import Training
from tests.training.stacks import MODELS as SMALL

TRAINING = Training.model_validate({"expected_batch_size": 4, "precision": "fp32"})


def architecture(name: str) -> Architecture:
    found = MODELS.parse(SMALL[name][1])
    assert isinstance(found, Architecture)
    return found


@pytest.mark.parametrize("name", sorted(SMALL))
def test_both_layouts_of_every_model_are_timed(name: str) -> None:
    found = measure_layout(architecture(name), TRAINING, SMALL[name][0], 3, "cpu")
    assert set(found) == {"layout", "seconds"} and set(found["seconds"]) == {"stacked", "sequential"}
    assert all(value > 0 for value in found["seconds"].values()) and found["layout"] == min(found["seconds"], key=found["seconds"].get)


@pytest.mark.parametrize("name", ["linear", "bert masked", "gpt2"])
def test_both_layouts_of_a_cohort_are_timed(name: str) -> None:
    found = measure_cohort(architecture(name), Client(batch_size=4), SMALL[name][0], 3, "cpu")
    assert set(found["seconds"]) == {"stacked", "sequential"} and "reason" not in found


def test_a_network_without_batching_rules_is_sequential(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's fused LSTM has none: without open_up the BiLSTM keeps it."""
    block = architecture("bilstm")
    monkeypatch.setattr(type(block), "open_up", lambda self, network: None)
    found = measure_layout(block, TRAINING, "joint", 3, "cpu")
    assert found["layout"] == "sequential" and set(found["seconds"]) == {"sequential"} and found["reason"].startswith("cannot be stacked: ")


@pytest.mark.parametrize("slower", ["stacked", "sequential"])
def test_the_faster_one_is_told(slower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "seconds_of", lambda work, device: 2.0)
    assert compared(1.0 if slower == "stacked" else 3.0, lambda: lambda: None, "cpu")["layout"] != slower


@pytest.mark.parametrize("error", [NotStackable("two shapes"), torch.OutOfMemoryError("no room\nmore lines"), RuntimeError("")])
def test_what_fails_is_a_reason(error: Exception) -> None:
    def stack() -> Callable[[], object]:
        raise error

    found = compared(1.0, stack, "cpu")
    assert found["layout"] == "sequential" and found["reason"] == f"cannot be stacked: {(str(error) or 'RuntimeError').splitlines()[0]}"


def test_what_takes_long_is_not_timed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    def often(step: float) -> int:
        now, done = [0.0], []

        def clock() -> float:
            now[0] += step
            return now[0]

        monkeypatch.setattr(time, "perf_counter", clock)
        seconds_of(lambda: done.append(1), "cpu")
        return len(done)

    counts: dict[str, Any] = {"quick": often(0.1), "slow": often(100.0)}
    assert counts == {"quick": 4, "slow": 2}
