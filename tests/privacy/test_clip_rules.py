"""Clip rules: what a contribution becomes, and that none is longer than the sensitivity."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from tasks.privacy.clip_rule import CLIP_RULES, ClipRule

NORMS = torch.tensor([0.0, 1e-30, 1e-4, 0.01, 1.0, 37.0, 1e20, float("inf")])


def rule(**fields: object) -> ClipRule:
    found = CLIP_RULES.parse(fields)
    assert isinstance(found, ClipRule)
    return found


@pytest.mark.parametrize("fields", [{"kind": "flat", "l2_clip_norm": 0.7}, {"kind": "automatic"}, {"kind": "automatic", "stability": 1e-3}])
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
