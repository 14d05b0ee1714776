"""Privacy mechanisms: what is done to a training so that it says little of any one person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from tasks.core.component import Component, Family


class Privacy(Component, ABC):
    """Base of every privacy block."""

    @abstractmethod
    def guarantee(self) -> str:
        """The guarantee tag of a run, with its conditions; ``none`` without privacy."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """What ``privacy.json`` of a model artifact says."""


PRIVACY = Family("privacy", "tasks.privacy.mechanisms", Privacy)
