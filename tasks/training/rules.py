"""Soundness rules of training: on role reversals, and with less memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of, the_model
from tasks.models.model import architecture_of
from tasks.training.augmentation import TASKS
from tasks.training.pairing import TASK


def _asks(block: Any, field: str) -> bool:
    return isinstance(block, Mapping) and block.get(field) is not None


def _training(facts: Facts, field: str) -> bool:
    """Whether the training block asks for something."""
    return _asks(the_model(facts).get("training"), field)


def _tagged(facts: Facts) -> bool:
    """Whether the task's answers belong to words."""
    task = task_of(facts)
    return task is not None and task not in TASKS


def _not_of_labels(facts: Facts) -> bool:
    task = task_of(facts)
    return task is not None and task != TASK


def _nothing_to_run_again(facts: Facts) -> bool:
    """Whether blocks are to be run again of a model that has none; a recorded model's kind is not known before it is loaded."""
    found = the_model(facts)
    training, model = found.get("training"), found.get("model")
    if not isinstance(training, Mapping) or not training.get("activation_checkpointing") or not isinstance(model, Mapping):
        return False
    architecture = architecture_of(model.get("kind"))
    return architecture is not None and not architecture.transformer


OF_WORDS = "the tags of this task belong to words, which a reversal replaces: leave augmentation out, or choose data.task intent, lm or mlm"
OF_WORDS_SOURCE = "derived: a reversal keeps the label of its text, and nothing says which tag a word has that stands where another stood"
PAIRING_SOURCE = "Garg et al., AIES 2019: counterfactual logit pairing is defined for classifiers"

RULES = (
    Rule(
        id="TRAIN-01",
        when=lambda facts: _training(facts, "augmentation") and _tagged(facts),
        verdict="refuse",
        sentence=OF_WORDS,
        source=OF_WORDS_SOURCE,
        path="training.augmentation",
    ),
    Rule(
        id="TRAIN-02",
        when=lambda facts: _asks(facts.get("federation.client"), "augmentation") and _tagged(facts),
        verdict="refuse",
        sentence=OF_WORDS,
        source=OF_WORDS_SOURCE,
        path="federation.client.augmentation",
    ),
    Rule(
        id="TRAIN-03",
        when=lambda facts: bool(facts.get("distillation")) and _training(facts, "augmentation"),
        verdict="refuse",
        sentence="a student learns on its teacher's lessons, not on records: write distillation.apply_to: both (two sides) or augmented (one side)",
        source="Gupta et al., Findings of ACL 2022: the reversals that a student learns on carry what the teacher says of them",
        path="training.augmentation",
    ),
    Rule(
        id="TRAIN-04",
        when=lambda facts: _training(facts, "pairing") and facts.get("privacy.kind", "none") != "none",
        verdict="refuse",
        sentence="logit pairing has no guarantee: the loss of an example spans two passes, which no engine clips as one; leave training.pairing out, "
        "or augment (training.augmentation)",
        source="derived: engines read one gradient per example from the one pass of a batch (Abadi et al., CCS 2016)",
        path="training.pairing",
    ),
    Rule(
        id="TRAIN-05",
        when=lambda facts: _training(facts, "pairing") and _not_of_labels(facts),
        verdict="refuse",
        sentence="logit pairing compares the logits of the labels of whole texts: it is for data.task intent",
        source=PAIRING_SOURCE,
        path="training.pairing",
    ),
    Rule(
        id="TRAIN-06",
        when=lambda facts: _asks(facts.get("teacher_training"), "pairing"),
        verdict="refuse",
        sentence="logit pairing compares the logits of the labels of whole texts, and a teacher has none: write teacher_training.augmentation",
        source=PAIRING_SOURCE,
        path="teacher_training.pairing",
    ),
    Rule(
        id="TRAIN-07",
        when=_nothing_to_run_again,
        verdict="refuse",
        sentence="training.activation_checkpointing runs the blocks of a transformer again, and this model has none: leave it out",
        source="Chen et al. 2016 (1604.06174): blocks between checkpoints are computed twice; a recurrent layer here is one",
        path="training.activation_checkpointing",
    ),
)
