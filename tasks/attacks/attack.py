"""Attacks: what somebody who has the model finds out about the people it was trained on."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from tasks.core.component import Family
from tasks.core.measures import Measurement


class Attack(Measurement, ABC):
    """Base of every attack. Its metrics are recorded under ``privacy/``. ``needs_pools``: whether it compares members with non-members."""

    needs_pools: ClassVar[bool] = True


ATTACKS = Family("attack", "tasks.attacks.attacks", Attack)
