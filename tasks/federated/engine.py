"""Engines: where the devices of a cohort are trained."""

from __future__ import annotations

from abc import ABC

from tasks.core.component import Component, Family


class Engine(Component, ABC):
    """Base of every engine."""


ENGINES = Family("engine", "tasks.federated.engines", Engine)
