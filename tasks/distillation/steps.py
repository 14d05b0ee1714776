"""The steps of distillation: lessons with what the teacher says of them, and the student's training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.distillation.distillation import Distillation, Targets
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual
from tasks.training.steps import TrainConfig


class TeachConfig(StepConfig):
    """Which words are swapped, and what is kept of the teacher's answers."""

    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)]
    targets: Targets


def teach(config: TeachConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Reverse the training texts of ``data``; write the lessons and, where they shall be kept, what the ``teacher`` says of all of them."""
    from functools import partial

    from tasks.data.prepared import PreparedData
    from tasks.distillation.lessons import make_lessons
    from tasks.distillation.teacher import size_mib, store
    from tasks.models.artifact import load_model

    loaded = load_model(inputs["teacher"], run.device)
    texts = PreparedData(inputs["data"]).split("train")["text"].tolist()
    lessons = make_lessons(texts, loaded.encoder, config.counterfactual.reverser(), partial(run.report.progress, note="reversing texts"))
    lessons.save(run.folder)
    targets = config.targets
    fits = size_mib(lessons, loaded.encoder.vocabulary_size, targets.top_k) <= targets.most_mib
    if targets.keep == "stored" or (targets.keep == "auto" and fits):
        store(loaded.network, lessons, targets.top_k, run.device, run.folder, partial(run.report.progress, note="asking the teacher"))


TEACH = Step("teach", teach, TeachConfig)


class DistilConfig(TrainConfig):
    """How a student is trained, and what it learns of its teacher."""

    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)]
    distillation: Distillation


def distil(config: DistilConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train on the prepared ``data`` with the ``lessons`` of the ``teacher``; write the model artifact, its costs and what it ran on."""
    from tasks.distillation.student import TaughtByTeacher
    from tasks.training.trial import train_trial

    teaching = TaughtByTeacher(inputs["teacher"], inputs["lessons"], config.counterfactual, config.distillation)
    train_trial(config, inputs, seed, run, teaching)


DISTIL = Step("distil", distil, DistilConfig)
