"""The steps of federated training: who holds what, the training itself, and what only it can be measured for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.federated.charging import charge
from tasks.federated.evaluation import EVALUATIONS, Evaluation
from tasks.federated.federation import Federation
from tasks.federated.labels import LABELS, Labels
from tasks.federated.partition import PARTITIONS, Partition, Unit
from tasks.federated.timeline import TIMELINES, Timeline
from tasks.models.model import MODELS, Model
from tasks.privacy.privacy import PRIVACY, Privacy
from tasks.utility.metric import UTILITY, UtilityMetric


class PartitionConfig(StepConfig):
    """How records are dealt to devices, and cut into windows."""

    partition: Annotated[Partition, OneOf(PARTITIONS)]
    timeline: Annotated[Timeline, OneOf(TIMELINES)]


def partition(config: PartitionConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the population of the prepared ``data``: devices with their activity, and the device and window of every record."""
    from tasks.data.prepared import PreparedData
    from tasks.federated.partitioning import write_population

    run.report.progress(0, 1, f"dealing records by {config.partition.kind}")
    write_population(config.partition, config.timeline, PreparedData(inputs["data"]), seed, run.folder)


class FederateConfig(StepConfig):
    """Which model, trained how and under which mechanism, checked by which metric.

    ``unit``: what a device is. ``submission`` names the one submission that a secret training belongs to.
    """

    model: Annotated[Model, OneOf(MODELS)]
    federation: Federation
    labels: Annotated[Labels, OneOf(LABELS)]
    privacy: Annotated[Privacy, OneOf(PRIVACY)]
    randomness: Literal["reproducible", "secret"]
    unit: Unit
    submission: str | None = None
    evaluation: Annotated[Evaluation, OneOf(EVALUATIONS)]
    metric: Annotated[UtilityMetric, OneOf(UTILITY)]


def federate(config: FederateConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train on the prepared ``data`` as the ``population`` holds it; write the model artifact, the log of rounds, the checks and the measures."""
    from tasks.federated.federating import federate_trial

    federate_trial(config, inputs, seed, run)


class StrataConfig(StepConfig):
    """Which metrics are looked at by activity, whether each device scores its own records, and who left before the end."""

    metrics: tuple[Annotated[UtilityMetric, OneOf(UTILITY)], ...]
    evaluation: Annotated[Evaluation, OneOf(EVALUATIONS)]
    timeline: Annotated[Timeline, OneOf(TIMELINES)]


def strata(config: StrataConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Utility by decile of activity, from ``predictions`` of the test records and the ``population``."""
    from tasks.federated.strata import strata_measures

    strata_measures(config, inputs["predictions"], inputs["population"], seed).save(run.folder)


class CatchUpConfig(StepConfig):
    """How close to the reference counts as caught up, for how many checks in a row, and the round in which the last window begins."""

    start: int
    margin: float
    hold: int
    metric: Annotated[UtilityMetric, OneOf(UTILITY)]


def catch_up(config: CatchUpConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Rounds of the last window until the ``model`` scores as the ``reference``, which had all data at once."""
    from tasks.federated.catching_up import catch_up_measures

    catch_up_measures(config, inputs["model"], inputs["reference"]).save(run.folder)


PARTITION = Step("partition", partition, PartitionConfig)
FEDERATE = Step("federate", federate, FederateConfig, charge)
STRATA = Step("strata", strata, StrataConfig)
CATCH_UP = Step("catch-up", catch_up, CatchUpConfig)
