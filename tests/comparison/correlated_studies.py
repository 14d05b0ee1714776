"""Studies of many models with planted biases, which some metrics follow and others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.correlation import Correlation, Score
from tasks.comparison.results import ArmFacts, MetricFacts, StudyFacts, TrialResult
from tasks.core.measures import Row

FAMILIES = ("masked",) * 6 + ("causal",) * 6 + ("recurrent",) * 4
ILPS, STEREO, TPR, TOXICITY = "fairness/ilps/difference", "fairness/stereoset/difference", "fairness/tpr/worst_group", "fairness/toxicity_auc/difference"
ALIGNED_TPR = "fairness/tpr_aligned/worst_group"
FOLLOWS = {ILPS: 1.0, STEREO: 0.0, TPR: 1.0, TOXICITY: 0.0}
"""How much of the models' bias each metric shows, beside its own noise of 0.4."""


def score(model: str, family: str, metric: str, value: float | None, seed: int = 0, **fields: Any) -> Score:
    """One line of the long table; ilps and stereoset are intrinsic."""
    side = "intrinsic" if metric in (ILPS, STEREO) else "extrinsic"
    given = {"pair": metric.replace("_aligned", ""), "side": side, "direction": "higher" if "worst_group" in metric else "lower", **fields}
    return Score.model_validate({"model": model, "family": family, "metric": metric, "seed": seed, "value": value, **given})


def long_table(values: Mapping[str, Sequence[float | None]], families: Sequence[str] = FAMILIES) -> list[Score]:
    """Scores by metric, one seed, a model each."""
    return [score(f"m{place}", families[place], metric, value) for metric, found in values.items() for place, value in enumerate(found)]


def planted(seed: int = 0, families: Sequence[str] = FAMILIES, follows: Mapping[str, float] = FOLLOWS, noise: float = 0.4) -> dict[str, list[float | None]]:
    """Values of each metric as measured, by the models' planted biases."""
    draw = np.random.default_rng(seed)
    bias = draw.normal(size=len(families))
    found: dict[str, list[float | None]] = {}
    for metric, share in follows.items():
        values = share * bias + noise * draw.normal(size=len(families))
        found[metric] = list(-values if "worst_group" in metric else values)
    return found


def correlated_study(
    values: Mapping[str, Sequence[float | None]] | None = None,
    spec: Correlation | None = None,
    families: Sequence[str] = FAMILIES,
    seeds: int = 2,
    conditions: Mapping[str, str] | None = None,
    **fields: Any,
) -> Comparison:
    """A comparison whose arms are models; seeds differ a little about the values."""
    values = planted(families=families) if values is None else values
    facts, trials = correlated_facts(values, spec, families, seeds, conditions, **fields)
    return compare(facts, trials)


def correlated_facts(
    values: Mapping[str, Sequence[float | None]],
    spec: Correlation | None = None,
    families: Sequence[str] = FAMILIES,
    seeds: int = 2,
    conditions: Mapping[str, str] | None = None,
    **fields: Any,
) -> tuple[StudyFacts, list[TrialResult]]:
    """The facts and trials of such a study."""
    names = [f"{family}-{place}" for place, family in enumerate(families)]
    arms = tuple(ArmFacts(name, name, "", "none", family) for name, family in zip(names, families, strict=True))
    metrics = {
        metric: MetricFacts(
            "intrinsic" if metric in (ILPS, STEREO) else "extrinsic", "aligned" if "_aligned" in metric else "original", metric.replace("_aligned", "")
        )
        for metric in values
    }
    said = {"notion": "stereotype", "groups": "gender", "protocol": "abc", **(conditions or {})}
    trials = [
        TrialResult(
            name, seed, tuple(_row(metric, found[place], seed - (seeds - 1) / 2, said) for metric, found in values.items()), "finished", f"run-{place}-{seed}"
        )
        for place, name in enumerate(names)
        for seed in range(seeds)
    ]
    given: dict[str, Any] = {"name": "agreement", "question": "Do intrinsic metrics foresee extrinsic ones?", "baseline": names[0], "arms": arms, **fields}
    return StudyFacts(correlation=spec or Correlation(), metrics=metrics, **given), trials


def _row(metric: str, value: float | None, away: float, conditions: Mapping[str, str]) -> Row:
    missing = {"status": "unsupported", "reason": "the model has no masked tokens"} if value is None else {}
    number = None if value is None else value + 0.02 * away
    way = "higher" if "worst_group" in metric else "lower"
    return Row.model_validate({"name": metric, "value": number, "direction": way, "conditions": dict(conditions), **missing})
