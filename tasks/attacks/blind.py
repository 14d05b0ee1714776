"""The blind baseline: what the records alone tell of who was a member, without any model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tasks.core.measures import Need
from tasks.core.step import Step, StepConfig, StepRun

SCORES = "scores.parquet"


class BlindBaseline(Need):
    """Out-of-fold scores of a text classifier that tells members from non-members. Named ``blind``; all arms of a seed share it."""


class BlindConfig(StepConfig):
    """Nothing but the data decides."""


def blind(config: BlindConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write ``scores.parquet``: id, member, score; never text."""
    from tasks.attacks._blind import write_scores

    write_scores(inputs["data"], seed, run)


BLIND = Step("blind-baseline", blind, BlindConfig)
