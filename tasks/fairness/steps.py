"""The step that makes a trained model fairer without training it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.fairness.mitigation import MITIGATIONS, Mitigation
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual


class MitigateConfig(StepConfig):
    """What is done, and which words are of a group."""

    mitigation: Annotated[Mitigation, OneOf(MITIGATIONS)]
    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)]


def mitigate(config: MitigateConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the model artifact ``model``, amended, with the numbers of its training and those of the mitigation."""
    import json
    import shutil

    from tasks.core.measures import Measures
    from tasks.models.artifact import load_model, save_model
    from tasks.models.model import Started

    folder = inputs["model"]
    run.report.progress(0, 1, f"{config.mitigation.kind}")
    loaded = load_model(folder, run.device)
    network, rows = config.mitigation.apply(loaded, inputs["data"], config.counterfactual, seed, run.device)
    privacy, data = (json.loads((folder / name).read_text()) for name in ("privacy.json", "data.json"))
    save_model(run.folder, Started(loaded.model, loaded.encoder, network), loaded.shape, privacy, data)
    Measures((*Measures.load_rows(folder), *rows)).save(run.folder)
    if (folder / "environment.json").exists():
        shutil.copyfile(folder / "environment.json", run.folder / "environment.json")


MITIGATE = Step("mitigate", mitigate, MitigateConfig)
