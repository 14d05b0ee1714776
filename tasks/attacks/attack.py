"""Attacks: what somebody who has the model finds out about the people it was trained on."""

from __future__ import annotations

from abc import ABC

from tasks.core.component import Family
from tasks.core.measures import Measurement


class Attack(Measurement, ABC):
    """Base of every attack. Its metrics are recorded under ``privacy/``."""


ATTACKS = Family("attack", "tasks.attacks.attacks", Attack)
