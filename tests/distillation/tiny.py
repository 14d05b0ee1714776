"""A tiny teacher on the grammar of professions, its tokenizer and its lessons."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from tasks.data._biographies import biographies
from tasks.distillation.combiner import COMBINERS
from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import Lessons, make_lessons
from tasks.distillation.taught import Taught, taught
from tasks.distillation.teacher import AskedTeacher
from tasks.distillation.vocabulary import GroupVocabulary, group_vocabulary
from tasks.models.architectures.gpt2 import Gpt2
from tasks.models.model import TaskShape
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.counterfactuals.gender import Gender
from tasks.text.reversal import Reverser

OTHERS = ["the lamp is new .", "we saw her duck .", "it is hers .", "they met him in the town .", "we saw him and then we met her . he was calm ."]
TEXTS = [*biographies(12, 0.5, 1), *OTHERS]
KINDS = tuple(COMBINERS.members())


@cache
def encoder(max_tokens: int = 64) -> FastEncoder:
    return FastEncoder(fit([*biographies(400, 0.0, 2), *OTHERS * 20], 500), max_tokens)


@cache
def reverser() -> Reverser:
    return Gender(kind="gender").reverser()


@cache
def lessons() -> Lessons:
    return make_lessons(TEXTS, encoder(), reverser(), lambda done, total: None)


def network(seed: int = 0, layers: int = 2, width: int = 16, max_tokens: int = 64) -> torch.nn.Module:
    """With weights that are far enough from nothing to tell tokens apart."""
    block = Gpt2.model_validate({"kind": "gpt2", "layers": layers, "hidden_size": width, "heads": 2, "dropout": 0.0, "tokenizer": {"kind": "bytes"}})
    made = block.build(TaskShape("lm"), encoder(max_tokens), seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(6)
    return made.eval()


@cache
def vocabulary() -> GroupVocabulary:
    return group_vocabulary(encoder(), reverser())


def examples(seed: int = 0, **fields: Any) -> Taught:
    """Taught by a teacher that is asked at each step."""
    how = Distillation.model_validate(fields)
    return taught(lessons(), how, asked(how, network(seed)), encoder().vocabulary_size, encoder().pad_id)


def asked(how: Distillation, teacher: torch.nn.Module) -> AskedTeacher:
    """A teacher that is asked at each step."""
    return AskedTeacher(teacher, lessons(), how, vocabulary(), "cpu")
