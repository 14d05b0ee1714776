"""Fairness metrics: how a model differs between groups of people."""

from __future__ import annotations

from abc import ABC

from tasks.core.component import Family
from tasks.core.measures import Measurement


class FairnessMetric(Measurement, ABC):
    """Base of every fairness metric. Its metrics are recorded under ``fairness/``."""


FAIRNESS = Family("fairness", "tasks.fairness.metrics", FairnessMetric)
