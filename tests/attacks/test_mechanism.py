"""The test of the mechanism: every mechanism that the rules allow passes, and each planted fault is flagged by the test that is made for it.

A correct mechanism fails with probability 1e-6; seeds are fixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specs.soundness import findings
from tasks.privacy.clip_rules.flat import Flat
from tasks.privacy.engine import ENGINES
from tasks.privacy.engines._book_keeping import BookKeepingClipper
from tasks.privacy.noise import NOISES
from tasks.training import private_gradient, watched
from tasks.training.mechanics import Mechanics, mechanics
from tasks.training.noising import NoiseSource
from tasks.training.private_gradient import PrivateGradient
from tests.attacks.checked import BERT, BILSTM, GPT2, LINEAR, failed, judged
from tests.conftest import NewRun, Prepare
from tests.training.private import block, config

USERS: dict[str, Any] = {"unit": {"kind": "user", "max_examples": 3}}
RULES = {"flat": {"l2_clip_norm": 0.5}, "per-layer": {"l2_clip_norm": 0.5}, "automatic": {}, "adaptive-quantile": {"initial": 0.5}}
SCHEDULES: dict[str, dict[str, Any]] = {
    "banded": {"bands": 3},
    "exponential": {"stages": 2},
    "linear": {"stages": 2},
    "step": {"stages": 2, "every": 1},
}
IN_TURN = {"kind": "cyclic", "separation": 5}
SAMPLERS: dict[str, dict[str, Any]] = {
    "cyclic": {"sampler": IN_TURN},
    "fixed-size": {"sampler": {"kind": "fixed-size"}, "adjacency": "replace-one", "accountant": "rdp"},
    "replaced": {"adjacency": "replace-one"},
    "shuffle": {"sampler": {"kind": "shuffle"}, "adjacency": "zero-out"},
    "truncated": {"sampler": {"kind": "truncated-poisson", "max_batch_size": 13}},
}
DEVIATION, LAW = "the noise does not have the accounted deviation", "the noise is not normal"
LONGER, FURTHER = "a clipped contribution is longer than the clip norm", "one unit moves the sum further than the account allows"
OTHER_SUM = "the clipped sum is not that of contributions added up one by one"


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def privacy_of(engine: str, rule: str, noise: str, unit: str) -> dict[str, Any]:
    """A privacy block; banded noise with groups in turn, which it needs."""
    blocks = {"engine": {"kind": engine, **({"micro_batches": 4} if engine == "micro-batch" else {})}, "rule": {"kind": rule, **RULES[rule]}}
    if engine == "micro-batch" and rule == "per-layer":
        blocks["engine"]["layer_scales"] = "none"
    parts = {"noise": {"kind": noise, **SCHEDULES.get(noise, {})}, **({"sampler": IN_TURN} if noise == "banded" else {})}
    return {"clipping": blocks, "noise_multiplier": 2.0, **parts, **(USERS if unit == "user" else {})}


def allowed(model: dict[str, Any], privacy: dict[str, Any]) -> bool:
    """Whether no rule refuses it."""
    settings = config(model, "loop", privacy=privacy)
    trial = {**settings.model_dump(mode="json"), "data": {"kind": "synthetic-assistant", "task": "intent", "public_size": 120}}
    return not [finding for finding in findings(trial) if finding.rule.verdict == "refuse"]


EVERY = [way for way in itertools.product(ENGINES.members(), RULES, NOISES.members(), ("example", "user")) if allowed(LINEAR, privacy_of(*way))]
"""Engine, rule, noise and unit."""


def few(ways: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """Ways that have between them every pair of parts which some way has."""
    missing = {pair for way in ways for pair in itertools.combinations(way, 2)}
    found = []
    while missing:
        best = max(ways, key=lambda way: len(missing & set(itertools.combinations(way, 2))))
        missing -= set(itertools.combinations(best, 2))
        found.append(best)
    return found


FEW = few(EVERY)
PARAMETERS = [pytest.param(*way, id="-".join(way), marks=[] if way in FEW else pytest.mark.slow) for way in EVERY]


@pytest.mark.parametrize(("engine", "rule", "noise", "unit"), PARAMETERS)
def test_a_correct_mechanism_passes(engine: str, rule: str, noise: str, unit: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    rows = judged(config(LINEAR, engine, privacy=privacy_of(engine, rule, noise, unit)), prepare(block("intent", users=30)), new_run(7), tmp_path)
    assert failed(rows) == []
    ratio, p, moved = (rows[name].value for name in ("noise_ratio", "noise_p_value", "sensitivity_ratio"))
    assert ratio is not None and 0.9 < ratio < 1.1 and p is not None and p >= 1e-6
    assert moved is not None and moved <= 1 + 1e-5
    assert rows["noise_ratio"].conditions["unit"] == unit
    independent = engine not in ("loop", "micro-batch")
    assert (rows["noise_ratio"].reason is None) == independent


def test_ways_that_the_rules_allow_are_many_and_those_that_are_run_always_have_every_part() -> None:
    assert len(EVERY) > 100 and len(FEW) < len(EVERY) / 3
    for place, names in enumerate((ENGINES.members(), RULES, NOISES.members(), ("example", "user"))):
        assert {way[place] for way in FEW} == set(names)


@pytest.mark.parametrize("way", SAMPLERS)
def test_a_correct_mechanism_passes_under_every_sampler_and_adjacency(way: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    rows = judged(config(LINEAR, "book-keeping", privacy=SAMPLERS[way]), prepare(block("intent")), new_run(7), tmp_path)
    assert failed(rows) == []
    assert rows["violations"].conditions["adjacency"] == SAMPLERS[way].get("adjacency", "add-remove")


NETWORKS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "bilstm": ("joint", BILSTM, "book-keeping", {}),
    "bilstm in bf16": ("joint", BILSTM, "book-keeping", {"precision": "bf16"}),
    "bert": ("intent", BERT, "opacus-ghost", {}),
    "bert run again": ("intent", BERT, "book-keeping", {"activation_checkpointing": True}),
    "bert, masked": ("mlm", {**BERT, "tokenizer": {"kind": "bytes", "max_tokens": 32}}, "book-keeping", {}),
    "gpt2": ("lm", GPT2, "opacus-hooks", {}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_correct_mechanism_passes_on_every_network(name: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    """With dropout, which the check leaves out, and texts of several windows."""
    task, model, engine, training = NETWORKS[name]
    rows = judged(config(model, engine, training=training), prepare(block(task)), new_run(7), tmp_path)
    assert failed(rows) == []


Patched = Callable[[pytest.MonkeyPatch], None]


def noise_that(change: Callable[[Tensor, float], object]) -> Patched:
    """Noise that is changed after it was drawn."""
    drawn = NoiseSource.draw

    def draw(self: NoiseSource, name: str, piece: int, step: int, out: Tensor, deviation: float) -> None:
        drawn(self, name, piece, step, out, deviation)
        change(out, deviation)

    return lambda patch: patch.setattr(NoiseSource, "draw", draw)


def drawn_once(patch: pytest.MonkeyPatch) -> None:
    """Every step has the first one's noise."""
    drawn = NoiseSource.draw
    patch.setattr(NoiseSource, "draw", lambda self, name, piece, step, out, deviation: drawn(self, name, piece, 0, out, deviation))


def mechanics_that(change: Callable[[PrivateGradient], PrivateGradient]) -> Patched:
    """A training whose gradient is another one."""

    def made(*arguments: Any) -> Mechanics:
        found = mechanics(*arguments)
        assert isinstance(found.gradient, PrivateGradient)
        return replace(found, gradient=change(found.gradient))

    return lambda patch: patch.setattr(watched, "mechanics", made)


def divided_by_the_records(patch: pytest.MonkeyPatch) -> None:
    """The divisor is the number of records times the rate, and nothing but the update tells it."""
    asked = PrivateGradient.__call__

    def found(self: PrivateGradient, network: nn.Module, indices: Tensor, step: int) -> Tensor | None:
        loss = asked(self, network, indices, step)
        for value in self.clipper.trained.values():
            assert value.grad is not None
            value.grad.mul_(120 / len(self.encoded))
        return loss

    patch.setattr(PrivateGradient, "__call__", found)


def sampled_by_the_records(patch: pytest.MonkeyPatch) -> None:
    """The rate follows from how many records there are, and the account's does not."""

    def made(settings: Any, account: Any, encoded: Any, *rest: Any) -> Mechanics:
        return mechanics(settings, replace(account, schedule=replace(account.schedule, public_size=len(encoded))), encoded, *rest)

    patch.setattr(watched, "mechanics", made)


def clipped_to_twice(patch: pytest.MonkeyPatch) -> None:
    """The engine's factors are twice the rule's where they clip."""
    bounded = BookKeepingClipper.bounded

    def twice(self: BookKeepingClipper, norms: Any, count: int) -> Any:
        whole, factors = bounded(self, norms, count)
        return whole, {name: (2 * factor).clamp(max=1.0) for name, factor in factors.items()}

    patch.setattr(BookKeepingClipper, "bounded", twice)


def unclipped(patch: pytest.MonkeyPatch) -> None:
    """The rule clips nothing, for whatever engine."""
    patch.setattr(Flat, "factors", lambda self, norms: torch.ones_like(norms))


class Still:
    """A generator whose only draw is nothing."""

    def standard_normal(self) -> float:
        return 0.0


def counted_without_noise(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(private_gradient, "numpy_generator", lambda *_: Still())


def another_by_example(gradient: PrivateGradient) -> PrivateGradient:
    return replace(gradient, sharing=None)


def follows(*names: str) -> str:
    return f"with a unit less there is another value of {', '.join(names)}"


NOBODY, DIVISOR, DEVIATIONS, OTHERS = "what a step without records releases", "the divisor", "the deviation of the noise", "the draws of the others"
ADAPTIVE: dict[str, Any] = {"clipping": {"rule": {"kind": "adaptive-quantile", "initial": 0.5}}}
CONTROLS: dict[str, tuple[Patched, dict[str, Any], set[str]]] = {
    "noise halved": (noise_that(lambda out, _: out.mul_(0.5)), {}, {DEVIATION, LAW}),
    "noise removed": (noise_that(lambda out, _: out.zero_()), {}, {DEVIATION, LAW}),
    "noise cut": (noise_that(lambda out, deviation: out.clamp_(-deviation, deviation)), {}, {DEVIATION}),
    "noise drawn once": (drawn_once, {}, {"the noise of a step follows from that of other steps"}),
    "banded noise that is not": (
        mechanics_that(lambda gradient: replace(gradient, correlation=(1.0,))),
        {"noise": {"kind": "banded", "bands": 3}, "sampler": IN_TURN},
        {DEVIATION},
    ),
    "divisor of the records": (
        mechanics_that(lambda gradient: replace(gradient, divisor=len(gradient.encoded))),
        {},
        {DEVIATION, follows(DIVISOR, NOBODY)},
    ),
    "divisor of the records, unsaid": (divided_by_the_records, {}, {follows(NOBODY)}),
    "noise of the records": (
        mechanics_that(lambda gradient: replace(gradient, multipliers=tuple(value * len(gradient.encoded) / 120 for value in gradient.multipliers))),
        {},
        {follows(DEVIATIONS, NOBODY)},
    ),
    "rate of the records": (sampled_by_the_records, {}, {follows("the rate", OTHERS)}),
    "engine clips to twice the norm": (clipped_to_twice, {}, {LONGER, FURTHER, OTHER_SUM}),
    "nothing is clipped": (unclipped, {}, {LONGER, FURTHER}),
    "users clipped by example": (mechanics_that(another_by_example), USERS, {FURTHER}),
    "count without noise": (counted_without_noise, ADAPTIVE, {"the noise on the count does not have the accounted deviation"}),
}


@pytest.mark.parametrize("fault", CONTROLS)
def test_a_fault_is_flagged(fault: str, prepare: Prepare, new_run: NewRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patched, privacy, expected = CONTROLS[fault]
    settings, data = config(LINEAR, "book-keeping", privacy=privacy), prepare(block("intent", users=30))
    assert failed(judged(settings, data, new_run(7), tmp_path)) == []
    patched(monkeypatch)
    rows = judged(settings, data, new_run(7), tmp_path)
    assert expected <= set(failed(rows)), rows["violations"].reason
    p, moved = rows["noise_p_value"].value, rows["sensitivity_ratio"].value
    if expected & {DEVIATION, LAW}:
        assert p is not None and p < 1e-6
    if FURTHER in expected:
        assert moved is not None and moved > 1.1
