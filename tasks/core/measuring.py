"""The step that runs one measurement: a utility metric, an attack or a fairness metric on a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SerializeAsAny

from tasks.core.measures import Measurement
from tasks.core.step import Step, StepConfig, StepRun

NEEDED = "needed/"


class MeasureConfig(StepConfig):
    """Which measurement."""

    measurement: SerializeAsAny[Measurement]


def measure(config: MeasureConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Measure the model artifact ``model`` on the prepared ``data`` with the folders ``needed/<name>``; write the measures."""
    needed = {name.removeprefix(NEEDED): folder for name, folder in inputs.items() if name.startswith(NEEDED)}
    measures = config.measurement.measure(inputs["model"], needed, inputs["data"], seed, run.report)
    measures.save(run.folder)


MEASURE = Step("measure", measure, MeasureConfig)
