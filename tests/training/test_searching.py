"""A search by random stopping: its number follows the law that is accounted, the best is released, and of the others nothing is told."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats
from torch import Tensor, nn

from tasks.core.seeds import derive
from tasks.core.step import Report, StepRun
from tasks.data.prepared import PreparedData
from tasks.privacy.search import Search
from tasks.training import searching
from tasks.training.private_gradient import PrivateGradient
from tasks.training.searching import best_of
from tasks.training.steps import TrainConfig, train
from tasks.training.trainer import Trainer
from tests.conftest import NewRun, Prepare
from tests.training.private import account_of, block, config
from tests.training.trainings import BILSTM, Clock, Killed, equal, weights

FALSE_ALARM = 1e-6
KEYS = 20_000
RATES = (0.0001, 0.01, 0.05)
KEY, BEST, COUNT = 121, 2, 4
"""A key, the best of its trainings, and how many there are; the first and the second are the best until another comes."""


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def search(**fields: Any) -> Search:
    over = {"training.optimizer.learning_rate": list(RATES), "model.dropout": [0.0, 0.3]}
    return Search.model_validate({"kind": "random-stopping", "over": over, "mean_trials": 4.0, "metric": "loss", **fields})


def chances(law: str, mean: float) -> list[float]:
    """P(1), P(2), ... in closed form. The logarithmic law's parameter by Newton's method from its mean."""
    if law == "geometric":
        return [(1 - 1 / mean) ** (count - 1) / mean for count in range(1, 400)]
    gamma = 0.5
    for _ in range(100):
        value, slope = (1 / gamma - 1) / math.log(1 / gamma), (1 / gamma - 1 - math.log(1 / gamma) / gamma) / (gamma * math.log(1 / gamma) ** 2)
        gamma = min(max(gamma - (value - mean) / slope, gamma / 10), 1 - 1e-9)
    assert (1 / gamma - 1) / math.log(1 / gamma) == pytest.approx(mean)
    return [(1 - gamma) ** count / (count * math.log(1 / gamma)) for count in range(1, 4000)]


def follows(counts: list[int], law: str, mean: float) -> bool:
    """Whether counts have the law: chi-square with rare counts put together, and the mean (normal), each of false-alarm rate 1e-6."""
    expected = np.array(chances(law, mean))
    numbers = np.arange(1, len(expected) + 1)
    deviation = math.sqrt(float(expected @ numbers**2) - mean**2)
    if 2 * stats.norm.sf(abs(np.mean(counts) - mean) * math.sqrt(len(counts)) / deviation) < FALSE_ALARM:
        return False
    last = int((expected * len(counts) > 20).sum())
    found = np.bincount(np.minimum(counts, last + 1), minlength=last + 2)[1:]
    wanted = np.append(expected[:last], 1 - expected[:last].sum()) * len(counts)
    return len(found) == len(wanted) and float(stats.chisquare(found, wanted).pvalue) >= FALSE_ALARM


@pytest.mark.parametrize("mean", [1.5, 4.0, 50.0])
@pytest.mark.parametrize("law", ["geometric", "logarithmic"])
def test_the_number_of_trainings_follows_its_law(law: str, mean: float) -> None:
    one = search(law=law, mean_trials=mean)
    counts = [one.count(key) for key in range(KEYS)]
    assert follows(counts, law, mean)
    assert (one.repetition.mean, one.repetition.shape) == (mean, {"geometric": 1.0, "logarithmic": 0.0}[law])
    assert not follows(counts, "logarithmic" if law == "geometric" else "geometric", mean)
    for wrong in ([count + 1 for count in counts], [min(count, round(3 * mean)) for count in counts], [round(mean)] * KEYS):
        assert not follows(wrong, law, mean)


def test_settings_are_drawn_uniformly_and_with_replacement() -> None:
    """All pairs of values as often (chi-square), and two draws of one key alike as often as chance says (binomial); each of rate 1e-6."""
    one = search()
    drawn = [tuple(sorted(one.draw(key, index).items())) for key in range(4000) for index in range(2)]
    times = Counter(drawn)
    assert len(times) == 6 and stats.chisquare(list(times.values())).pvalue > FALSE_ALARM
    alike = sum(drawn[place] == drawn[place + 1] for place in range(0, len(drawn), 2))
    assert stats.binomtest(alike, 4000, 1 / 6).pvalue > FALSE_ALARM
    assert stats.binomtest(0, 4000, 1 / 6).pvalue < FALSE_ALARM  # without replacement none would be
    assert one.draw(5, 3) == one.draw(5, 3)


def test_settings_are_put_where_their_paths_lead() -> None:
    settings = search_of()
    values = Search.applied(settings.model_dump(mode="json"), {"training.optimizer.learning_rate": 0.5, "model.dropout": 0.25})
    own = TrainConfig.model_validate(values)
    assert own.training.optimizer.learning_rate == 0.5 and own.model.dropout == 0.25  # type: ignore[attr-defined]
    assert own.privacy == settings.privacy and own.training.epochs == settings.training.epochs


def search_of(randomness: str = "reproducible", **fields: Any) -> TrainConfig:
    return config(BILSTM, "opacus-ghost", randomness, privacy={"accountant": "rdp"}, search=search(**fields).model_dump(mode="json"), norm=5.0)


@pytest.fixture(scope="module")
def data(prepare: Prepare) -> PreparedData:
    """With a validation split, which the synthetic data has not."""
    found = prepare(block("joint", seed=4))
    found.split("test").to_parquet(found.folder / "validation.parquet", index=False)
    return PreparedData(found.folder)


Candidate = tuple[float, dict[str, Tensor]]


@pytest.fixture(scope="module")
def candidates(data: PreparedData, new_run: NewRun) -> list[Candidate]:
    """Score and weights of every training of the key, each made by itself."""
    settings, found = search_of(), []
    assert settings.search is not None
    trainer = Trainer({}, data, account_of(settings, data), KEY)
    for index in range(settings.search.count(KEY)):
        own = TrainConfig.model_validate(Search.applied(settings.model_dump(mode="json"), settings.search.draw(KEY, index)))
        run = new_run()
        trained = trainer.train(own, derive(KEY, "search", index), run, run.checkpoint)
        found.append((-trainer.validate(trained, run, "test")()["loss"], weights(trained.started.network)))
    return found


def searched(data: PreparedData, run: StepRun, key: int = KEY) -> dict[str, Tensor]:
    settings = search_of()
    return weights(best_of(Trainer({}, data, account_of(settings, data), KEY), settings, key, run).started.network)


def test_the_best_on_the_validation_split_is_released(data: PreparedData, candidates: list[Candidate], new_run: NewRun) -> None:
    best = max(range(len(candidates)), key=lambda index: candidates[index][0])
    assert (len(candidates), best) == (COUNT, BEST)
    assert equal(searched(data, new_run()), candidates[best][1])
    assert not any(equal(candidates[best][1], other) for index, (_, other) in enumerate(candidates) if index != best)


@pytest.mark.parametrize(("fault", "chosen"), [("worst", 0), ("last", 3)])
def test_another_choice_would_be_seen(
    fault: str, chosen: int, data: PreparedData, candidates: list[Candidate], new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = searching._score
    rising = iter(range(100))
    monkeypatch.setattr(searching, "_score", lambda *given: float(next(rising)) if fault == "last" else -score(*given))
    found = searched(data, new_run())
    assert equal(found, candidates[chosen][1]) and not equal(found, candidates[BEST][1])


class At:
    """The end of the process when the given training of a search comes to a step."""

    def __init__(self, training: int, step: int) -> None:
        self.training, self.step, self.begun = training, step, -1

    def __call__(self, gradient: PrivateGradient, network: nn.Module, indices: Tensor, step: int) -> Tensor | None:
        self.begun += step == 0
        if (self.begun, step) == (self.training, self.step):
            raise Killed
        return KEPT(gradient, network, indices, step)


KEPT = PrivateGradient.__call__


@pytest.mark.parametrize("kills", [((0, 8),), ((2, 8),), ((2, 2), (1, 9))])
def test_a_killed_search_goes_on_where_it_was(
    kills: tuple[tuple[int, int], ...], data: PreparedData, candidates: list[Candidate], new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a training, and between them; what is done is not done again."""
    monkeypatch.setattr(time, "monotonic", Clock())
    run = new_run()
    for training, step in kills:
        planned = At(training, step)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(PrivateGradient, "__call__", lambda *given, planned=planned: planned(*given))
            searched(data, run)
    torch.manual_seed(99)
    last = At(-1, 0)
    monkeypatch.setattr(PrivateGradient, "__call__", lambda *given: last(*given))
    assert equal(searched(data, run), candidates[BEST][1])
    assert last.begun + 1 < COUNT


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the costs, which are of a clock."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = json.loads(found["measures.json"])["rows"]
    return {**found, "measures.json": json.dumps([row for row in rows if not row["name"].startswith("cost/")]).encode()}


def released(data: PreparedData, run: StepRun, settings: TrainConfig) -> Mapping[str, bytes]:
    train(settings, {"data": data.folder}, KEY, run)
    return contents(run.folder)


def test_the_artifact_says_nothing_of_the_others(data: PreparedData, candidates: list[Candidate], new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two losers or with three it is the same to the byte; no series is kept, and progress is no count."""
    told: list[str] = []
    monkeypatch.setattr(Report, "progress", lambda report, done, total, note="": told.append(f"{report.folder.name} {done:g} {total:g} {note}"))
    found, runs = [], [new_run(), new_run()]
    for run, count in zip(runs, (BEST + 1, COUNT), strict=True):
        monkeypatch.setattr(Search, "count", lambda self, key, count=count: count)
        found.append(released(data, run, search_of()))
    assert found[0] == found[1]
    assert equal(load_file(runs[0].folder / "model.safetensors"), candidates[BEST][1])
    assert not any((run.report.folder / "metrics.jsonl").exists() for run in runs)
    assert {line for line in told if line.startswith("report")} == {"report 0 1 searching"}
    text = b"".join(value for name, value in found[1].items() if name.endswith((".json", ".jsonl"))).decode().lower()
    assert "score" not in text and '"best"' not in text
    assert json.loads(found[1]["privacy.json"])["repetition"] == {"mean": 4.0, "shape": 1.0}


def test_a_series_of_the_others_would_be_seen(data: PreparedData, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run()
    monkeypatch.setattr(searching, "Report", lambda folder: run.report)
    searched(data, run)
    assert (run.report.folder / "metrics.jsonl").exists()
