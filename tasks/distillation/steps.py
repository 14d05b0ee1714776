"""The steps of distillation: lessons, what the teacher says of them, and the student's training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.distillation.distillation import Distillation
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual
from tasks.training.charging import charge
from tasks.training.steps import TrainConfig

if TYPE_CHECKING:
    from tasks.distillation.student import TaughtByTeacher


class LessonsConfig(StepConfig):
    """Which words are swapped."""

    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)]


def make(config: LessonsConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Reverse the training texts of ``data`` and align both in the tokens of the ``teacher``; write the lessons."""
    from functools import partial

    from tasks.data.prepared import PreparedData
    from tasks.distillation.lessons import make_lessons
    from tasks.models.artifact import load_model

    texts = PreparedData(inputs["data"]).split("train")["text"].tolist()
    encoder = load_model(inputs["teacher"], "cpu").encoder
    make_lessons(texts, encoder, config.counterfactual.reverser(), partial(run.report.progress, note="reversing texts")).save(run.folder)


LESSONS = Step("lessons", make, LessonsConfig)


class TeachConfig(LessonsConfig):
    """What of the teacher's answers is learnt, and kept. What of ``distillation`` does not change the targets stands at its default."""

    distillation: Distillation


def teach(config: TeachConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Write the targets of all ``lessons``, by what the ``teacher`` says, where they are to be kept and fit; else nothing, and it is asked at each step."""
    from functools import partial

    from tasks.distillation.lessons import Lessons
    from tasks.distillation.teacher import AskedTeacher, size_mib, store
    from tasks.distillation.vocabulary import group_vocabulary
    from tasks.models.artifact import load_model

    how, lessons, loaded = config.distillation, Lessons.load(inputs["lessons"]), load_model(inputs["teacher"], run.device)
    chosen = lessons.chosen(how.apply_to)
    places = int((lessons.lengths[lessons.window[chosen]] - 1).sum())
    fits = size_mib(places, loaded.encoder.vocabulary_size, how.targets.top_k) <= how.targets.most_mib
    if how.targets.keep == "stored" or (how.targets.keep == "auto" and fits):
        vocabulary = group_vocabulary(loaded.encoder, config.counterfactual.reverser()).to(run.device)
        asked = AskedTeacher(loaded.network, lessons, how, vocabulary, run.device)
        store(asked, lessons, chosen, how.targets.top_k, run.folder, partial(run.report.progress, note="asking the teacher"))


TEACH = Step("teach", teach, TeachConfig)


class DistilConfig(TrainConfig):
    """How a student is trained, and what it learns of its teacher."""

    counterfactual: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)]
    distillation: Distillation

    def teaching(self, inputs: Mapping[str, Path]) -> TaughtByTeacher:
        """By the ``teacher``, with its ``lessons`` and ``targets``."""
        from tasks.distillation.student import TaughtByTeacher

        return TaughtByTeacher(inputs["teacher"], inputs["lessons"], inputs["targets"], self.counterfactual, self.distillation)


def distil(config: DistilConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Train on the prepared ``data`` with the ``lessons`` and ``targets`` of the ``teacher``; write the model artifact, its costs and what it ran on."""
    from tasks.training.trial import train_trial

    train_trial(config, inputs, seed, run)


DISTIL = Step("distil", distil, DistilConfig, charge)
