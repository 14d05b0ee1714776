"""The long table of a study: what each headline metric says of each model with each seed, as far as the numbers may be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tasks.comparison.agreement import named
from tasks.comparison.conditions import unlike
from tasks.comparison.correlating import correlate
from tasks.comparison.correlation import Correlations, Score
from tasks.comparison.results import ArmFacts, MetricFacts, StudyFacts
from tasks.comparison.table import Table
from tasks.core.measures import Row

PROTOCOL = "protocol"
"""The condition that says how a metric is measured; models measured in different ways are never correlated."""
OF_THE_MODEL = (PROTOCOL, "differs", "fidelity")


def correlations(facts: StudyFacts, table: Table) -> Correlations | None:
    """The agreement of a study's metrics over its models; None where the study does not ask for it."""
    if facts.correlation is None:
        return None
    scores, notes = long_table(facts, table)
    return correlate(scores, facts.correlation, notes)


def long_table(facts: StudyFacts, table: Table) -> tuple[list[Score], list[str]]:
    """The scores, and what differs between models beside the models themselves. An arm at a grid point is a model, of its arm's family."""
    scores: list[Score] = []
    differing: dict[str, list[str]] = {}
    for metric, about in facts.metrics.items():
        found = {arm: rows for arm in facts.arms if (rows := table.rows(arm.name, metric))}
        usual = _usual_protocol(found)
        scores += [score for arm, rows in found.items() for score in _scores(arm, metric, about, rows, usual)]
        names = [name for name in unlike([row.conditions for row in _had(found)]) if name not in OF_THE_MODEL]
        if names:
            differing.setdefault(" and ".join(names), []).append(named(metric))
    return scores, [f"The models differ in {names} of {', '.join(metrics)}: that may move these numbers as well." for names, metrics in differing.items()]


def _had(found: Mapping[ArmFacts, Mapping[int, Row]]) -> list[Row]:
    return [row for rows in found.values() for row in rows.values() if row.value is not None]


def _usual_protocol(found: Mapping[ArmFacts, Mapping[int, Row]]) -> str | None:
    """The protocol under which most models have the metric, the first of several; None where none was said."""
    counted = Counter(row.conditions.get(PROTOCOL) for row in _had(found))
    return counted.most_common(1)[0][0] if counted else None


def _scores(arm: ArmFacts, metric: str, about: MetricFacts, rows: Mapping[int, Row], usual: str | None) -> Iterator[Score]:
    had = [row for row in rows.values() if row.value is not None]
    mixed = bool(unlike([row.conditions for row in had]))
    for seed, row in sorted(rows.items()):
        reason = row.reason if row.value is None else _problem(row, had, mixed, usual)
        yield Score(
            model=arm.name,
            family=arm.family or arm.base,
            metric=metric,
            pair=about.pair or metric,
            side=about.side,
            variant=about.variant,
            notion=row.conditions.get("notion", ""),
            groups=row.conditions.get("groups", ""),
            seed=seed,
            value=row.value if reason is None else None,
            direction=row.direction,
            reason=reason,
        )


def _problem(row: Row, had: Sequence[Row], mixed: bool, usual: str | None) -> str | None:
    """Why a number does not count: a mean of unlike numbers means nothing, nor does an order of models that were measured in different ways."""
    if mixed and len(had) > 1:
        return "its seeds were measured under unlike conditions"
    return "it was measured in another way than most models' were" if row.conditions.get(PROTOCOL) != usual else None
