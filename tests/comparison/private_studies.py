"""Studies of private training with given numbers: epsilon, utility, an attack with its blind baseline, and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison, StudyPrivacy
from tasks.comparison.results import StudyFacts, TrialResult
from tasks.core.measures import Row
from tests.comparison.studies import facts

CONDITIONS = {"unit": "example", "adjacency": "add-remove", "delta": "6.7e-06", "accountant": "pld", "status": "simulated"}
SENTENCE = "All 15 private trainings of this study together: simulated: example-level (21.4, 6.7e-06)-DP, add/remove (epsilon_study)."
STUDY = StudyPrivacy(epsilon=21.4, delta=6.7e-6, trials=15, uncovered=5, sentence=SENTENCE)
GROUPS = {"north": 212, "south": 180, "travellers_and_guests": 31}
TWO: dict[str, float | None] = {"plain": None, "eps-8": 8.0}
FOUR: dict[str, float | None] = {"plain": None, "eps-8": 7.9998, "eps-3": 2.9996, "eps-1": 0.9997}


def private_rows(epsilon: float, conditions: Mapping[str, str] = CONDITIONS) -> tuple[Row, ...]:
    """What a private trial records of its spending."""
    said = {"conditions": dict(conditions)}
    return (
        Row.model_validate({"name": "privacy/epsilon", "value": epsilon, "direction": "lower", "lowest": 0, **said}),
        Row.model_validate({"name": "privacy/delta", "value": 6.7e-6, **said}),
        Row.model_validate({"name": "privacy/noise_multiplier", "value": 0.4 + 1.2 / epsilon, **said}),
    )


def utility_rows(accuracy: float) -> tuple[Row, ...]:
    """Accuracy and loss on one test split."""
    common = {"n": 423, "conditions": {"data": "d1", "split": "test"}}
    return (
        Row.model_validate({"name": "utility/accuracy", "value": accuracy, "direction": "higher", "lowest": 0, "highest": 1, **common}),
        Row.model_validate({"name": "utility/loss", "value": -float(np.log(accuracy)), "direction": "lower", "lowest": 0, **common}),
    )


def fairness_rows(accuracy: float, gap: float) -> tuple[Row, ...]:
    """The difference, the worst group and each group."""
    conditions = {"data": "d1", "split": "test", "groups": ", ".join(f"{group} {size}" for group, size in GROUPS.items())}
    places = np.linspace(0.4, -0.6, len(GROUPS))
    groups = {f"by_group/{group}": (accuracy + gap * place, "higher", size) for (group, size), place in zip(GROUPS.items(), places, strict=True)}
    numbers = {"difference": (gap, "lower", 423), "worst_group": (accuracy - 0.6 * gap, "higher", 31), **groups}
    rows = ({"name": f"fairness/accuracy/{name}", "value": value, "direction": way, "n": n} for name, (value, way, n) in numbers.items())
    return tuple(Row.model_validate({**row, "conditions": conditions, "lowest": -1.0, "highest": 1.0}) for row in rows)


def attack_rows(auc: float, blind: float, attack: str = "loss_threshold", doubt: str | None = None) -> tuple[Row, ...]:
    """An attack's numbers; with a doubt all are confounded."""
    numbers = {"auc": auc, "blind_auc": blind, "auc_above_blind": auc - blind, "tpr_at_1pct_fpr": 0.01 + max(0.0, auc - 0.5) / 4}
    status = {"status": "confounded", "reason": doubt} if doubt else {}
    rows = ({"name": f"privacy/{attack}/{name}", "value": value, "direction": "lower", "n": 2000, **status} for name, value in numbers.items())
    return tuple(Row.model_validate({**row, "lowest": -1.0, "highest": 1.0, "conditions": {"protocol": "coin per record"}}) for row in rows)


def private_trials(
    arms: Mapping[str, float | None], seeds: int = 5, conditions: Mapping[str, Mapping[str, str]] | None = None, doubt: str | None = None
) -> list[TrialResult]:
    """Trials of arms with these epsilons, None without privacy: the more is spent, the better the model and the attack."""
    draw = np.random.default_rng(11)
    found = []
    for arm, epsilon in arms.items():
        spent = 1.0 if epsilon is None else epsilon / (epsilon + 2)
        for seed in range(seeds):
            accuracy, gap = 0.6 + 0.3 * spent + draw.normal(0, 0.006), 0.25 - 0.2 * spent + abs(draw.normal(0, 0.02))
            rows = utility_rows(accuracy) + fairness_rows(accuracy, gap)
            rows += attack_rows(0.5 + 0.12 * spent**3 + draw.normal(0, 0.006), 0.5 + draw.normal(0, 0.004), doubt=doubt)
            rows += () if epsilon is None else private_rows(epsilon, (conditions or {}).get(arm, CONDITIONS))
            rows += (Row(name="cost/train_seconds", value=20.0 + seed + (0 if epsilon is None else 40), direction="lower", conditions={"device": "cpu"}),)
            found.append(TrialResult(arm, seed, rows, "finished", f"run-{arm}-{seed}"))
    return found


def guarantees(arms: Mapping[str, float | None]) -> dict[str, str]:
    """The tags of arms with these epsilons."""
    return {arm: "none" if epsilon is None else f"simulated: example-level ({epsilon:.3g}, 6.7e-06)-DP, add/remove" for arm, epsilon in arms.items()}


def private_facts(arms: Mapping[str, float | None], claims: Sequence[Mapping[str, Any]] = (), **fields: Any) -> StudyFacts:
    """The facts of such a study, each arm with its guarantee."""
    tags = guarantees(arms)
    made = facts(list(arms), claims, **{"question": "What does privacy cost?", "study_privacy": STUDY, **fields})
    return replace(made, arms=tuple(replace(arm, guarantee=tags[arm.name]) for arm in made.arms))


def private_study(arms: Mapping[str, float | None] = FOUR, claims: Sequence[Mapping[str, Any]] = (), **fields: Any) -> Comparison:
    """Such a study compared."""
    return compare(private_facts(arms, claims), private_trials(arms, **fields))
