"""The benchmark of a private step: every case and engine takes steps, memory on a GPU is that of one engine, points that are left out are told."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.benchmarks import _dp_growth, dp_step
from tests.benchmarks._dp_cases import BERT, BILSTM, DPLSTM_HOOKS, GPT2, ON_GPU, UNTIED, Case, Stepper
from tests.benchmarks._dp_growth import MODEL, OTHER_WEIGHTS, WEIGHTS_PER_WORD, Curve, grown, left_out, plotted
from tests.benchmarks.dp_step import measure, peak


def tiny(case: Case) -> Case:
    """Of the same kind and precision."""
    small = {"hidden_size": 16} if case is BILSTM else {"layers": 1, "hidden_size": 16, "heads": 2}
    return replace(case, block={**case.block, **small}, batch=4, length=8)


LARGER = [pytest.param(case, marks=pytest.mark.slow) for case in (BERT, GPT2, *ON_GPU)]


@pytest.mark.parametrize("case", [BILSTM, *LARGER], ids=lambda case: case.name)
def test_every_engine_of_a_case_is_measured(case: Case) -> None:
    rows = {row["name"]: row for row in measure(tiny(case), "cpu", 2)}
    assert set(rows) == {f"{case.name} {engine}{of}" for engine in ("plain", *case.engines) for of in ("", " memory")}
    assert all(row["value"] > 0 for row in rows.values())
    judged = {name: row["target"] for name, row in rows.items() if row["target"] is not None}
    for name, of in (("", 0), (" memory", 1)):
        assert judged[f"{case.name} book-keeping{name}"] == case.targets["book-keeping"][of]


def test_peers_are_as_large_as_ours() -> None:
    def weights(case: Case, engine: str | None) -> int:
        return sum(value.numel() for value in Stepper(case, engine, "cpu").network.parameters())

    lstm, gpt2 = tiny(BILSTM), tiny(GPT2)
    assert weights(lstm, DPLSTM_HOOKS) == weights(lstm, None)
    head: Any = Stepper(gpt2, None, "cpu").network.get_submodule("body.lm_head")
    assert weights(gpt2, UNTIED) - weights(gpt2, None) == head.weight.numel()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that is alive has 1,000 bytes, a first one 4,000 more; of them 100 are parameters and 7 the optimizer's."""
    alive: list[weakref.ref[Step]] = []
    peaks = [0]

    def allocated() -> int:
        return 1000 * sum(step() is not None for step in alive)

    class Step:
        standing_bytes = 7

        def __init__(self, *_: Any) -> None:
            self.network = nn.Linear(24, 1)
            self.held = self  # as hooks and their network hold each other
            alive.append(weakref.ref(self))

        def __call__(self, number: int) -> None:
            peaks.append(allocated() + (4000 if number == 0 else 0))

    monkeypatch.setattr(dp_step, "Stepper", Step)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", peaks.clear)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: max(peaks))


@pytest.mark.usefixtures("gpu")
def test_memory_on_a_gpu_is_of_one_engine_less_what_every_training_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [peak(BERT, engine, "cuda") for engine in (None, "book-keeping", "loop")] == [1000 - 100 - 7] * 3
    monkeypatch.setattr(gc, "collect", lambda: 0)
    assert peak(BERT, None, "cuda") > 1000  # what went before would be counted


def test_growth_leaves_out_what_is_too_large_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Case] = []

    def ratios(case: Case) -> dict[str, float]:
        asked.append(case)
        return dict.fromkeys(case.engines, 1.5)

    assert left_out(grown(ratios)) == ""
    monkeypatch.setattr(_dp_growth, "HELD", 4 * 64 * (WEIGHTS_PER_WORD * 8192 + OTHER_WEIGHTS))
    asked.clear()
    curves = grown(ratios)
    assert [(case.batch, case.length) for case in asked if "opacus-hooks" not in case.engines] == [(128, 64), (16, 64)]
    assert left_out(curves).endswith("GiB: opacus-hooks at batch 128; opacus-hooks at vocabulary 50,000.")
    plotted([*curves, Curve("length", "never", ())], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_weights_of_a_growing_model_are_estimated() -> None:
    for length, words in ((64, 8192), (1024, 8192), (64, 50_000)):
        weights = sum(value.numel() for value in Stepper(MODEL.resized(2, length, words), None, "cpu").network.parameters())
        assert weights <= WEIGHTS_PER_WORD * words + OTHER_WEIGHTS <= 1.2 * weights
