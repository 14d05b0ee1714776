"""The plot of audits: each lower bound with its ceiling against the epsilon that is claimed."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.comparison.bounds import bound_plots
from tasks.comparison.columns import columns
from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.plots import plots
from tasks.comparison.results import TrialResult
from tasks.core.measures import Row
from tests.comparison.private_studies import private_rows
from tests.comparison.studies import facts


def audited(claims: Mapping[str, float | None], bounds: Mapping[str, float], ceiling: float = 5.0) -> Comparison:
    """Arms with a claimed epsilon, or none, and the bounds of two audits."""
    found = []
    for arm, claim in claims.items():
        rows = list(private_rows(claim)) if claim is not None else []
        for audit in ("one_run", "gdp"):
            if arm in bounds:
                common = {"lowest": 0.0, "conditions": {"delta": "1e-05"}}
                rows.append(Row.model_validate({"name": f"privacy/{audit}/epsilon_lower", "value": bounds[arm], "direction": "lower", **common}))
                rows.append(Row.model_validate({"name": f"privacy/{audit}/epsilon_ceiling", "value": ceiling, **common}))
        found.append(TrialResult(arm, 0, tuple(rows), "finished", f"run-{arm}"))
    return compare(facts(list(claims)), found)


def test_bounds_and_ceilings_stand_against_the_claims() -> None:
    comparison = audited({"plain": None, "eps-8": 8.0, "eps-1": 1.0}, {"plain": 3.0, "eps-8": 0.7, "eps-1": 0.0})
    [plot] = bound_plots(comparison, columns(comparison))
    assert "one run" in plot.svg and "gdp" in plot.svg and "the epsilon that is claimed" in plot.svg and "lower bound on epsilon" in plot.svg
    assert plot.instead == ("privacy/one_run/epsilon_lower", "privacy/gdp/epsilon_lower")
    captions = [one.caption for one in plots(comparison, columns(comparison))]
    assert plot.caption in captions and not any("epsilon_lower by arm" in caption for caption in captions)


def test_nothing_is_drawn_where_fewer_than_two_arms_claim_an_epsilon_and_are_audited() -> None:
    two: dict[str, float | None] = {"eps-8": 8.0, "eps-1": 1.0}
    one: dict[str, float | None] = {"plain": None, "eps-8": 8.0}
    for claims, bounds in ((one, {"plain": 3.0, "eps-8": 0.7}), (two, {"eps-8": 0.7}), (two, {})):
        comparison = audited(claims, bounds)
        assert bound_plots(comparison, columns(comparison)) == []
