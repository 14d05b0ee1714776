"""Clip rules: what a contribution becomes, and that none is longer than the sensitivity."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats

from tasks.privacy import engine as engine_module
from tasks.privacy.blocks import blocks_of
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tasks.privacy.clip_rules.adaptive_quantile import Adapting
from tasks.privacy.counting import CountTooDear
from tasks.privacy.mechanism import Mechanism, Release
from tasks.privacy.mechanisms.dp_sgd import DpSgd
from tasks.privacy.privacy import Setting
from tests.models.samples import farthest
from tests.privacy.clipping import LENGTHS, clipped, examples, excess, opened, picked, size
from tests.privacy.settings import high

NORMS = torch.tensor([0.0, 1e-30, 1e-4, 0.01, 1.0, 37.0, 1e20, float("inf")])


def rule(**fields: object) -> ClipRule:
    found = CLIP_RULES.parse(fields)
    assert isinstance(found, ClipRule)
    return found


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "flat", "l2_clip_norm": 0.7},
        {"kind": "automatic"},
        {"kind": "automatic", "stability": 1e-3},
        {"kind": "per-layer", "l2_clip_norm": 3.0},
        {"kind": "adaptive-quantile", "initial": 0.2},
    ],
)
def test_no_contribution_is_longer_than_the_sensitivity(fields: dict[str, object]) -> None:
    found = rule(**fields)
    finite = NORMS[NORMS.isfinite()].double()
    assert bool((found.factors(NORMS[NORMS.isfinite()]).double() * finite <= found.sensitivity).all())
    assert float(found.factors(NORMS)[-1]) == 0.0


def test_automatic_clipping_is_the_formula_of_the_paper() -> None:
    """AUTO-S: g / (|g| + 0.01)."""
    norms = torch.tensor([0.005, 0.5, 5.0])
    expected = 1 / (norms + 0.01)
    torch.testing.assert_close(rule(kind="automatic").factors(norms), expected, atol=0, rtol=1e-5)
    assert rule(kind="automatic").sensitivity == 1.0


def test_automatic_clipping_has_no_norm_to_give() -> None:
    with pytest.raises(ValidationError, match="l2_clip_norm"):
        rule(kind="automatic", l2_clip_norm=1.0)


@pytest.mark.parametrize("scales", ["equal", "by-shape"])
@pytest.mark.parametrize("engine", ["loop", "vmap", "opacus-hooks", "book-keeping"])
def test_layers_are_clipped_each_by_itself_and_no_contribution_is_longer_than_all_may_be(engine: str, scales: str, tmp_path: Path) -> None:
    started, shape = opened("bilstm", tmp_path)
    batch = examples(started, shape, LENGTHS)
    found = rule(kind="per-layer", l2_clip_norm=1e-3, scales=scales)
    sums = [clipped(engine, started.network, picked(batch, slice(index, index + 1)), found)[0] for index in range(len(LENGTHS))]
    blocks, shares = blocks_of({name: value for name, value in started.network.named_parameters() if value.requires_grad}, found.layer_scales)
    for one in sums:
        for names, share in zip(blocks, shares, strict=True):
            assert size({name: one[name] for name in names}) == pytest.approx(1e-3 * share, rel=1e-4)
        assert size(one) <= 1e-3
    whole, _ = clipped(engine, started.network, batch, found)
    assert farthest(whole, {name: torch.stack([one[name] for one in sums]).sum(dim=0) for name in whole}) < 1e-5


def test_layers_that_are_all_clipped_to_the_whole_bound_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, shape = opened("bilstm", tmp_path)
    monkeypatch.setattr(engine_module, "blocks_of", lambda trained, scales: ([(name,) for name in trained], [1.0] * len(trained)))
    assert excess("loop", started.network, examples(started, shape, LENGTHS), rule(kind="per-layer", l2_clip_norm=1e-3)) > 1


def adapting(**fields: object) -> Adapting:
    found = rule(kind="adaptive-quantile", **fields).begin()
    assert isinstance(found, Adapting)
    return found


def test_the_clip_norm_moves_as_the_paper_says() -> None:
    """C <- C exp(-eta (b - gamma)): Andrew et al. 2021, eta 0.2, gamma 0.5, here without noise: two of five were not longer than 1."""
    found = adapting(initial=1.0, count_noise=1e-9)
    found.observe(torch.tensor([0.5, 1.0, 1.5, 2.0, 9.0]))
    found.move(1.0, 1.0, 5)
    assert found.clip_norm == pytest.approx(math.exp(-0.2 * (2 / 5 - 0.5)))
    assert found.sensitivity == found.clip_norm and float(found.factors(torch.tensor([3.0]))) == pytest.approx(found.clip_norm / 3, rel=1e-5)


def test_it_ends_at_the_quantile_with_noise_too() -> None:
    draws = np.random.default_rng(3)
    found = adapting(initial=20.0, quantile=0.7)
    norms = torch.from_numpy(draws.lognormal(0, 1, (400, 200))).float()
    late = []
    for step, row in enumerate(norms):
        found.observe(row)
        found.move(float(draws.standard_normal()), 1.0, 200)
        late += [found.clip_norm] if step >= 200 else []
    assert np.mean(late) == pytest.approx(math.exp(stats.norm.ppf(0.7)), rel=0.1)


def test_an_empty_batch_moves_it_by_noise_alone() -> None:
    found = adapting(count_noise=2.0)
    found.move(0.0, 1.0, 100)
    assert found.clip_norm == 1.0
    found.move(1.5, 1.0, 100)
    assert found.clip_norm == pytest.approx(math.exp(-0.2 * 3.0 / 100))


def test_the_count_is_charged() -> None:
    """1 / z^2 = 1 / z_sum^2 + 1 / (2 sigma_b)^2, and of two Gaussian releases with those multipliers epsilon is that of one with z."""
    found = rule(kind="adaptive-quantile", count_noise=3.0)
    left = found.sum_multiplier(1.2, 100)
    assert pytest.approx(left**-2 + 6.0**-2) == 1.2**-2
    both = Mechanism((Release(left, None, 1), Release(6.0, None, 1)))
    assert high("pld", both) == pytest.approx(high("pld", Mechanism((Release(1.2, None, 1),))), abs=2e-3)
    uncharged = Mechanism((Release(1.2, None, 1), Release(6.0, None, 1)))
    assert high("pld", uncharged) > high("pld", both) + 0.05


def test_a_count_that_costs_more_than_there_is_is_told() -> None:
    clipping = {"rule": {"kind": "adaptive-quantile", "count_noise": 0.4}}
    mechanism = DpSgd.model_validate({"kind": "dp-sgd", "noise_multiplier": 1.0, "clipping": clipping})
    with pytest.raises(CountTooDear, match="raise count_noise above half of it"):
        mechanism.account(Setting(1000, 100, 1, "secret"))
    assert rule(kind="adaptive-quantile").sum_multiplier(50.0, 10) == pytest.approx(50 / math.sqrt(0.75))  # the default is never too dear
