"""Do metrics of bias agree over models? From the long table to coefficients with intervals, tests and what may be concluded. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

from tasks.comparison import agreement
from tasks.comparison.correlation import Alignment, Cell, Change, Correlation, Correlations, Method, Score, Side, Without
from tasks.core.multiplicity import benjamini_hochberg, holm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST, CONFIRMATORY = 5, 10
"""Models below which nothing is said of a coefficient, and below which what is said is exploratory."""
FEWEST_WITHOUT = 3
"""Models of which a coefficient without one family is still computed."""
DIGITS = 12
"""Significant digits of a model's mean: rounding in the last bits must not order models that are alike."""


@dataclass(frozen=True)
class _Metric:
    """A metric over models: oriented means by model, larger is more biased; ``problem`` says why it cannot be."""

    pair: str
    metric: str
    side: Side
    variant: Alignment
    groups: str
    means: Mapping[str, float]
    problem: str | None = None


def correlate(scores: Sequence[Score], spec: Correlation, notes: Sequence[str] = ()) -> Correlations:
    """Every pair of metrics by every method, as the block asks. ``notes`` are further reasons not to conclude too much."""
    families = dict(sorted({score.model: score.family for score in scores if score.value is not None}.items()))
    metrics = _metrics(scores)
    chosen = [(alignment, pair) for alignment in spec.alignment for pair in _pairs(metrics, alignment, spec)]
    cells = [_cell(*pair, alignment, method, families, spec) for method in spec.methods for alignment, pair in chosen]
    cells = [agreement.judged(cell, spec.margin) for cell in _adjusted(cells, spec)]
    changes = tuple(_changes(metrics, families, spec))
    return Correlations(
        cells=tuple(cells),
        changes=changes,
        scores=tuple(scores),
        n_models=len(families),
        families=dict(sorted(Counter(families.values()).items())),
        methods=spec.methods,
        alignment=spec.alignment,
        adjust=spec.adjust,
        margin=spec.margin,
        power=agreement.power_line(spec.methods[0], len(families), FEWEST),
        concluded=agreement.concluded(cells, changes),
        not_concluded=agreement.not_concluded(cells, changes, families, spec.margin, notes),
    )


def oriented(value: float, direction: str) -> float:
    """The value turned so that larger is more biased. Raises ValueError where a metric has no worse end."""
    if direction == "none":
        raise ValueError("a metric without a better direction cannot be oriented")
    return value if direction == "lower" else -value


def _metrics(scores: Sequence[Score]) -> dict[str, dict[Alignment, _Metric]]:
    """The metrics by the name that a metric and its aligned form share, in their order."""
    found: dict[str, dict[Alignment, _Metric]] = {}
    for name in dict.fromkeys(score.metric for score in scores):
        mine = [score for score in scores if score.metric == name]
        first, values = mine[0], dict[str, list[float]]()
        undirected = any(score.direction == "none" for score in mine)
        for score in mine:
            if score.value is not None and not undirected:
                values.setdefault(score.model, []).append(oriented(score.value, score.direction))
        means = {model: float(f"{math.fsum(mine) / len(mine):.{DIGITS}g}") for model, mine in values.items()}
        problem = f"{agreement.named(first.pair)} has no end that is worse" if undirected else None
        found.setdefault(first.pair, {})[first.variant] = _Metric(first.pair, name, first.side, first.variant, first.groups, means, problem)
    return found


def _pairs(metrics: Mapping[str, Mapping[Alignment, _Metric]], alignment: Alignment, spec: Correlation) -> Iterator[tuple[_Metric, _Metric]]:
    """The pairs of one alignment. A metric without an aligned form is aligned as it is; a pair of two such is not tested again."""
    forms = [found.get(alignment, found.get("original")) for found in metrics.values()]
    usable = [form for form in forms if form is not None]
    intrinsic, extrinsic = ([form for form in usable if form.side == side] for side in ("intrinsic", "extrinsic"))
    if spec.between == "all" or spec.between[0] == spec.between[1]:
        pairs = list(combinations(usable if spec.between == "all" else intrinsic if spec.between[0] == "intrinsic" else extrinsic, 2))
    else:
        pairs = list(product(intrinsic, extrinsic))
    for first, second in pairs:
        if alignment == "original" or "original" not in spec.alignment or "aligned" in (first.variant, second.variant):
            yield first, second


def _cell(first: _Metric, second: _Metric, alignment: Alignment, method: Method, families: Mapping[str, str], spec: Correlation) -> Cell:
    models = [model for model in families if model in first.means and model in second.means]
    n = len(models)
    cell = Cell(
        first=first.pair,
        second=second.pair,
        first_metric=first.metric,
        second_metric=second.metric,
        first_groups=first.groups,
        second_groups=second.groups,
        alignment=alignment,
        method=method,
        n=n,
        missing=len(families) - n,
        exploratory=n < CONFIRMATORY,
    )
    problem = first.problem or second.problem
    if problem is not None:
        return cell.model_copy(update={"status": "undefined", "reason": problem})
    present = sorted({families[model] for model in models})
    if n < FEWEST or len(present) < 2:
        reason = f"{n} models have both metrics, and at least {FEWEST} are needed" if n < FEWEST else f"all {n} models are of one family ({present[0]})"
        return cell.model_copy(update={"status": "insufficient_evidence", "reason": reason})
    for metric in (first, second):
        if len({metric.means[model] for model in models}) == 1:
            return cell.model_copy(update={"status": "undefined", "reason": f"{agreement.named(metric.pair)} is the same for all {n} models"})
    return cell.model_copy(update=_estimates(first, second, models, method, families, spec))


def _values(metric: _Metric, models: Sequence[str]) -> Floats:
    import numpy as np

    return np.array([metric.means[model] for model in models])


def _estimates(first: _Metric, second: _Metric, models: Sequence[str], method: Method, families: Mapping[str, str], spec: Correlation) -> dict[str, object]:
    from tasks.comparison import _coefficients as found

    n, x, y = len(models), _values(first, models), _values(second, models)
    value = found.coefficient(method, x, y)
    low, high = found.interval(method, value, n)
    p, exact = found.permutation_p(method, x, y, spec.resamples)
    bootstrap = found.bca(method, x, y, spec.resamples, f"{first.metric} {second.metric}") if method == "pearson" and n >= CONFIRMATORY else None
    without = tuple(_without(first, second, models, method, families))
    return {
        "value": value,
        "low": low,
        "high": high,
        "bootstrap_low": None if bootstrap is None else bootstrap[0],
        "bootstrap_high": None if bootstrap is None else bootstrap[1],
        "p": p,
        "exact": exact,
        "smallest_significant": found.smallest_significant(method, n),
        "detectable": found.detectable(method, n),
        "without": without,
        "rests_on": tuple(left.family for left in without if left.value is not None and left.value * math.copysign(1, value) < abs(value) / 2),
    }


def _without(first: _Metric, second: _Metric, models: Sequence[str], method: Method, families: Mapping[str, str]) -> Iterator[Without]:
    from tasks.comparison._coefficients import coefficient

    for family in sorted({families[model] for model in models}):
        kept = [model for model in models if families[model] != family]
        value = coefficient(method, _values(first, kept), _values(second, kept)) if len(kept) >= FEWEST_WITHOUT else math.nan
        yield Without(family=family, n=len(kept), value=value if math.isfinite(value) else None)


def _adjusted(cells: Sequence[Cell], spec: Correlation) -> list[Cell]:
    """P corrected over all pairs and alignments of one method: the methods ask the same question in three ways."""
    correct = holm if spec.adjust == "holm" else benjamini_hochberg
    found: dict[int, float] = {}
    for method in spec.methods:
        tested = {place: cell.p for place, cell in enumerate(cells) if cell.method == method and cell.p is not None}
        found |= dict(zip(tested, correct(list(tested.values())), strict=True))
    return [cell.model_copy(update={"p_adjusted": found.get(place)}) for place, cell in enumerate(cells)]


def _changes(metrics: Mapping[str, Mapping[Alignment, _Metric]], families: Mapping[str, str], spec: Correlation) -> Iterator[Change]:
    """Of each pair that has an aligned form, what alignment does to the first method's coefficient, over models that have all of it."""
    if set(spec.alignment) != {"original", "aligned"}:
        return
    from tasks.comparison import _coefficients as found

    method = spec.methods[0]
    pairs = list(_pairs(metrics, "aligned", spec))
    for first, second in pairs:
        before = [metrics[form.pair].get("original", form) for form in (first, second)]
        models = [model for model in families if all(model in form.means for form in (first, second, *before))]
        if len(models) < FEWEST or len({families[model] for model in models}) < 2:
            continue
        old, new = ((_values(one, models), _values(other, models)) for one, other in (before, (first, second)))
        original, aligned = found.coefficient(method, *old), found.coefficient(method, *new)
        if not math.isfinite(original) or not math.isfinite(aligned):
            continue
        ends = found.change(method, old, new, spec.resamples, f"{first.metric} {second.metric}", len(pairs)) or (None, None)
        made = Change(
            first=first.pair, second=second.pair, method=method, n=len(models), original=original, aligned=aligned, value=aligned - original,
            low=ends[0], high=ends[1], sentence="",
        )  # fmt: skip
        yield made.model_copy(update={"sentence": agreement.changed(made)})
