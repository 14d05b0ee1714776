"""Soundness rules of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of, the_model
from tasks.models.model import LOADED, MODELS, Model
from tasks.text.tokenizer import TOKENIZERS, Tokenizer

FEWEST = 10_000
"""Training records below which no model with random weights is judged on answers or on what it writes."""


def _kind(block: Any) -> str:
    return str(block.get("kind")) if isinstance(block, Mapping) else ""


def _not_served(facts: Facts) -> bool:
    member = MODELS.members().get(_kind(the_model(facts).get("model")))
    task = task_of(facts)
    return task is not None and member is not None and issubclass(member, Model) and task not in member.tasks


def _nothing_to_hide_with(facts: Facts) -> bool:
    model = the_model(facts).get("model")
    tokenizer = _kind(model.get("tokenizer")) if isinstance(model, Mapping) else ""
    return task_of(facts) == "mlm" and tokenizer == "hashing"


def _not_spelled(facts: Facts) -> bool:
    model = the_model(facts).get("model")
    if not isinstance(model, Mapping) or not model.get("characters"):
        return False
    member = TOKENIZERS.members().get(_kind(model.get("tokenizer")))
    return member is not None and issubclass(member, Tokenizer) and not member.spelled


def _little_to_judge(facts: Facts) -> bool:
    kind, records = _kind(the_model(facts).get("model")), facts.get("facts.counts.train")
    return task_of(facts) in ("qa", "seq2seq") and kind != "" and kind not in LOADED and records is not None and records < FEWEST


RULES = (
    Rule(
        id="MODEL-01",
        when=_not_served,
        verdict="refuse",
        sentence="this model does not serve the task of the data: choose another model, or set data.task (`assay components model` lists tasks)",
        source="the network has no answer layer for the task",
        path="model.kind",
    ),
    Rule(
        id="MODEL-02",
        when=_nothing_to_hide_with,
        verdict="refuse",
        sentence="the hashing tokenizer has no mask to hide words with: give model.tokenizer {kind: trained, ...} or {kind: bytes} for task 'mlm'",
        source="masked language modelling (Devlin et al., NAACL 2019) replaces tokens by a mask",
        path="model.tokenizer",
    ),
    Rule(
        id="MODEL-03",
        when=_not_spelled,
        verdict="refuse",
        sentence="the tokens of this tokenizer are no spelled words or parts of words: give model.tokenizer {kind: trained, ...} or {kind: pretrained, ...}",
        source="a bucket of the hashing tokenizer holds many words, and a token of bytes is a single character",
        path="model.characters",
    ),
    Rule(
        id="MODEL-04",
        when=_little_to_judge,
        verdict="label",
        sentence="pipeline check: with fewer than 10,000 training records a model with random weights learns little of answering or writing, so its numbers "
        "show that the parts work, not how good the method is; a pretrained model by path or hub is the real setting",
        source="Lin et al. (Findings of NAACL 2022) fine-tune published models for question answering and summaries",
        path="model.kind",
        stage="data",
    ),
)
