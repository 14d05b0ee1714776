"""Kind ``dp-training``: what a privacy mechanism costs a model in utility and fairness, and what attacks still find."""

from __future__ import annotations

from typing import Literal

from specs.schemas._trained import TrainedStudy


class DpTrainingStudy(TrainedStudy):
    """Train models under a privacy mechanism, or none, and compare utility, attacks, fairness and cost."""

    kind: Literal["dp-training"]
