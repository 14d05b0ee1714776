"""Attacks: what somebody who has the model finds out about the people it was trained on."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from tasks.core.component import Family
from tasks.core.measures import Measurement
from tasks.core.rules import Facts


class Attack(Measurement, ABC):
    """Base of every attack. Its metrics are recorded under ``privacy/``."""

    needs_pools: ClassVar[bool] = True
    """Whether it compares members with non-members, drawn from one pool by ``data.attack_holdout``."""


ATTACKS = Family("attack", "tasks.attacks.attacks", Attack)


def compares_pools(facts: Facts) -> bool:
    """Whether some attack of a trial compares members with non-members, for rules."""
    members = ATTACKS.members()
    return any(getattr(members.get(kind), "needs_pools", True) for kind in facts.kinds("attacks"))
