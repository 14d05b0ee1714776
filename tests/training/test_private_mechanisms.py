"""Private trainings with other units, samplers, rules and noises: they go on after a kill, and their sums move as far as they are accounted for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.training.private_gradient import PrivateGradient
from tasks.training.trainer import TrainingError
from tests.conftest import NewRun, Prepare
from tests.models.samples import farthest
from tests.privacy.clipping import size
from tests.training.private import Begun, asked, begun, block, config, done, killed, same_work
from tests.training.trainings import BERT, BILSTM, Clock, equal

STILL = {**BILSTM, "dropout": 0.0}
NORM = 0.5
ADAPTIVE = {"clipping": {"rule": {"kind": "adaptive-quantile", "initial": 5.0}}}
BANDED = {"sampler": {"kind": "cyclic", "separation": 5}, "noise": {"kind": "banded", "bands": 4}}
USERS: dict[str, Any] = {"unit": {"kind": "user", "max_examples": 3}, "clipping": {"rule": {"kind": "flat", "l2_clip_norm": NORM}}}
MICRO: dict[str, Any] = {"clipping": {"engine": {"kind": "micro-batch", "micro_batches": 4}, "rule": {"kind": "flat", "l2_clip_norm": NORM}}}
WAYS: dict[str, dict[str, Any]] = {
    "adaptive": ADAPTIVE,
    "adaptive micro-batches": {"clipping": {"engine": {"kind": "micro-batch"}, "rule": {"kind": "adaptive-quantile"}}},
    "banded": BANDED,
    "fixed size": {"sampler": {"kind": "fixed-size"}, "adjacency": "replace-one", "accountant": "rdp"},
    "truncated": {"sampler": {"kind": "truncated-poisson", "max_batch_size": 13}},
    "users": USERS,
    "per layer": {"clipping": {"rule": {"kind": "per-layer"}}},
}


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.parametrize("way", [pytest.param(way, marks=[] if way in ("adaptive", "banded", "users") else pytest.mark.slow) for way in WAYS])
def test_a_kill_changes_nothing(way: str, prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())
    data, settings = prepare(block("joint", users=30)), config(BILSTM, "book-keeping", privacy=WAYS[way])
    run, whole = new_run(), new_run()
    killed(settings, data, run, 8)
    assert equal(done(settings, data, same_work(run)), done(settings, data, whole))
    record = json.loads((whole.folder / "privacy.json").read_text())
    assert record["epsilon"] > 0 and ("user-level" in record["guarantee"]) == (way == "users")


def test_a_clip_norm_that_is_forgotten_by_a_kill_would_be_seen(prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())
    data, settings = prepare(block("joint")), config(BILSTM, "book-keeping", privacy=ADAPTIVE)
    run, whole = new_run(), new_run()
    killed(settings, data, run, 8)
    with monkeypatch.context() as patch:
        patch.setattr(PrivateGradient, "kept", {})
        forgotten = done(settings, data, same_work(run))
    assert not equal(forgotten, done(settings, data, whole))


def still(prepare: Prepare, new_run: NewRun, privacy: dict[str, Any], engine: str = "book-keeping", model: dict[str, Any] = STILL) -> Begun:
    return begun(config(model, engine, privacy=privacy), prepare(block("joint" if model is STILL else "intent", users=30)), new_run(7))


def sums(made: Begun, indices: torch.Tensor, step: int = 0) -> dict[str, torch.Tensor]:
    """The sum of clipped contributions, without noise."""
    _, trained, _, gradient = made
    gradient.multipliers = (0.0,) * len(gradient.multipliers)
    return {name: value.double() * gradient.divisor for name, value in asked(gradient, trained.started.network, indices, step).items()}


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return size({name: one[name] - other[name] for name in one}) / NORM


@pytest.mark.parametrize("engine", ["book-keeping", "loop"])
def test_one_user_moves_the_sum_by_the_clip_norm_at_most(engine: str, prepare: Prepare, new_run: NewRun) -> None:
    """With all its examples; clipped one by one they would move it further."""
    made = still(prepare, new_run, {**USERS, "clipping": {**USERS["clipping"], "engine": {"kind": engine}}})
    users, indices = made[1].encoded.users, torch.arange(60)
    assert users is not None
    many = int(torch.bincount(users[indices]).argmax())
    assert int((users[indices] == many).sum()) >= 3
    whole, without = sums(made, indices), sums(made, indices[users[indices] != many])
    assert 0.99 < apart(whole, without) <= 1 + 1e-6
    made[3].sharing = None
    assert apart(sums(made, indices), sums(made, indices[users[indices] != many])) > 1.1


@pytest.mark.parametrize("model", [STILL, {**BERT, "dropout": 0.0}], ids=["bilstm", "bert"])
def test_engines_agree_on_contributions_of_several_examples(model: dict[str, Any], prepare: Prepare, new_run: NewRun) -> None:
    found = [
        sums(still(prepare, new_run, {**USERS, "clipping": {**USERS["clipping"], "engine": {"kind": engine}}}, model=model), torch.arange(50))
        for engine in ("loop", "book-keeping")
    ]
    assert farthest(*found) < 1e-5


def test_one_example_moves_micro_batches_by_twice_the_clip_norm_at_most(prepare: Prepare, new_run: NewRun) -> None:
    made = still(prepare, new_run, MICRO)
    indices = torch.arange(12)
    whole = sums(made, indices)
    farthest_ = max(apart(whole, sums(made, indices[indices != left_out])) for left_out in range(12))
    assert made[3].divisor == 4 and farthest_ <= 2 * (1 + 1e-6)


def test_banded_noise_is_the_factor_times_what_is_independent(prepare: Prepare, new_run: NewRun) -> None:
    """C y = z: standard normal after the factor, and not before it."""
    account, trained, _, gradient = still(prepare, new_run, BANDED)
    name = next(name for name, _ in trained.started.network.named_parameters())
    y = np.stack([gradient.source(step, gradient.deviation(step))[name].flatten().numpy().copy() for step in range(9)]).astype(np.float64)
    y /= account.noise_multiplier * NORM
    coefficients = gradient.correlation
    z = np.stack([sum(coefficients[back] * y[step - back] for back in range(min(step + 1, 4))) for step in range(9)])
    assert stats.kstest(z.flatten(), "norm").pvalue > 1e-6
    correlation = [np.corrcoef(values[:-1].flatten(), values[1:].flatten())[0, 1] for values in (z, y)]
    assert abs(correlation[0]) < 6 / np.sqrt(z[1:].size) and correlation[1] < -0.2
    again = still(prepare, new_run, BANDED)[3]
    assert np.array_equal(again.source(8, 1.0)[name].numpy(), gradient.source(8, 1.0)[name].numpy())
    assert np.array_equal(again.source(2, 1.0)[name].numpy(), gradient.source(2, 1.0)[name].numpy())  # back, from the first step on


def test_an_adaptive_rule_counts_with_noise_and_tells_its_clip_norm(prepare: Prepare, new_run: NewRun) -> None:
    account, trained, found, gradient = still(prepare, new_run, ADAPTIVE)
    rule = gradient.clipper.rule
    assert isinstance(rule, Adapting)
    first = gradient.deviation(0)
    assert first > 5.0 * account.noise_multiplier  # more on the sum than the account's, for the count is paid from it
    gradient(trained.started.network, found.batches[0], 0)
    assert rule.clip_norm != 5.0 and gradient.kept == {"clip_norm": rule.clip_norm} and rule.balance == 0
    assert gradient.deviation(1) / first == pytest.approx(rule.clip_norm / 5.0)


def test_book_keeping_and_hooks_train_the_same_model(prepare: Prepare, new_run: NewRun) -> None:
    """The same seed, fifty steps with noise: every weight to 1e-4."""
    data, weights = prepare(block("intent")), []
    for engine in ("book-keeping", "opacus-hooks"):
        run = new_run()
        weights.append(done(config({**BERT, "dropout": 0.0}, engine, training={"epochs": 5}), data, run))
        assert json.loads((run.folder / "privacy.json").read_text())["steps"] == 50
    assert max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0]) < 1e-4
    other = done(config({**BERT, "dropout": 0.0}, "opacus-hooks", training={"epochs": 5}, norm=50.0), data, new_run())
    assert max(float((weights[0][name] - other[name]).abs().max()) for name in other) > 1e-3


def test_a_user_that_is_not_named_is_told(prepare: Prepare, new_run: NewRun) -> None:
    data = prepare(block("joint", users=30))
    records = data.split("train")
    records.loc[records.index[3], "user"] = None
    with pytest.raises(TrainingError, match="1 training records name none"):
        begun(config(STILL, "book-keeping", privacy=USERS), data, new_run())
