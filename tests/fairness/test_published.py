"""A published encoder of sentences, as a leaderboard reads it: SEAT is told of it, and what needs likelihoods is refused with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.core.measures import Row
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.fairness.wordsets import resolve
from tasks.models.steps import LoadConfig, load
from tests.conftest import NewRun
from tests.fairness.fakes import opened


@pytest.fixture(scope="module")
def source(published_encoder: Path) -> str:
    """Where a study finds the encoder."""
    return str(published_encoder)


@pytest.fixture(scope="module")
def loaded(source: str, new_run: NewRun) -> Path:
    """The encoder as a study loads it."""
    run = new_run()
    load(LoadConfig.model_validate({"model": {"kind": "pretrained", "source": source}}), {}, 0, run)
    return run.folder


def measured(kind: str, model: Path, **fields: object) -> dict[str, Row]:
    metric = FAIRNESS.parse({"kind": kind, **fields})
    assert isinstance(metric, FairnessMetric)
    return {row.name.split("/", 2)[2]: row for row in metric.measure(model, {}, model, 0, None).rows}


def effect_size(source: str, lists: Sequence[Sequence[str]]) -> float:
    """By another library's model, one sentence at a time, and the formula: the mean state of all tokens, cosines, d with ddof 1."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()

    def vector(sentence: str) -> NDArray[np.float64]:
        with torch.no_grad():
            state = model(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0].double().mean(dim=0).numpy()
        return np.asarray(state / np.linalg.norm(state))

    x, y, a, b = ([vector(sentence) for sentence in sentences] for sentences in lists)
    of_x, of_y = ([float(np.mean([v @ w for w in a]) - np.mean([v @ w for w in b])) for v in part] for part in (x, y))
    return float((np.mean(of_x) - np.mean(of_y)) / np.std([*of_x, *of_y], ddof=1))


def test_seat_of_published_tests_is_that_of_another_library(source: str, loaded: Path, catalogue: Path) -> None:
    """A test of sentences on gender, one of Bias Bench's six, and one of single words."""
    names = ("sent-weat8b", "weat7")
    rows = measured("seat", loaded, tests=names)
    for name in names:
        found = rows[f"{name.replace('-', '_')}/score"]
        assert found.value == pytest.approx(effect_size(source, resolve(name, None).lists), abs=1e-4)
        assert found.conditions["fidelity"] == "published"
    told = [row.value for name, row in rows.items() if name.endswith("/score") and row.value is not None]
    assert rows["difference"].value == pytest.approx(np.mean(np.abs(told))) and len(told) == rows["difference"].n


def test_seat_of_ones_own_words_is_that_of_another_library(source: str, loaded: Path) -> None:
    words = {"name": "flowers", "x": ["rose", "lily", "tulip"], "y": ["wasp", "spider", "ant"], "a": ["love", "peace"], "b": ["hatred", "filth"]}
    found = measured("seat", loaded, words=words)["flowers/score"]
    lists = [[f"this is {word}" for word in words[part]] for part in "xyab"]
    assert found.value == pytest.approx(effect_size(source, lists), abs=1e-4)
    assert found.conditions["fidelity"] == "adaptation"


@pytest.mark.parametrize("kind", ["stereoset", "crows-pairs"])
def test_an_encoder_says_of_no_word_how_likely_it_is(loaded: Path, kind: str) -> None:
    for row in measured(kind, loaded, items="synthetic").values():
        assert row.value is None and row.status == "unsupported" and str(row.reason).endswith("this model tells no tokens' probabilities")


@pytest.mark.parametrize(("model", "task", "fidelity"), [("bert", "mlm", "published"), ("gpt2", "lm", "adaptation")])
def test_published_items_are_asked_of_models_of_ones_own(catalogue: Path, tmp_path: Path, model: str, task: str, fidelity: str) -> None:
    """79 items of StereoSet on religion and 87 pairs of CrowS-Pairs on age, of networks that know nothing: both lie near what such a one has."""
    opened(tmp_path / "model", model, task, {"kind": "bytes", "max_tokens": 320})
    within = measured("stereoset", tmp_path / "model", domains=["religion"])
    assert within["score"].n == 79 and abs(float(within["lm/score"].value or 0) - 50) < 25 and within["score"].low is not None
    pairs = measured("crows-pairs", tmp_path / "model", bias_types=["age"])
    assert pairs["score"].n == 87 and pairs["score"].conditions["fidelity"] == fidelity
