"""The pieces that the DAG of every kind is made of: the prepared data, with or without canaries, and what a model needs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.core.fingerprint import digest
from tasks.core.graph import Graph, Node
from tasks.data.dataset import Dataset
from tasks.data.steps import INSERT, PREPARE, InsertConfig, PrepareConfig, seed_matters
from tasks.models.model import Model
from tasks.text.steps import FIT_TOKENIZER, FitTokenizerConfig


def prepare(graph: Graph, data: Dataset, seed: int, label: str) -> Node:
    """The prepared data of a trial; shared by all seeds where no seed matters."""
    return graph.add(PREPARE, PrepareConfig(data=data), {}, seed if seed_matters(data) else None, f"prepare {label}")


def training_data(graph: Graph, study: Any, seed: int, label: str) -> Node:
    """The prepared data of a study, with its canaries in it."""
    data = prepare(graph, study.data, seed, label)
    return data if study.canaries is None else graph.add(INSERT, InsertConfig(insertion=study.canaries), {"data": data}, seed, f"insert {label}")


def model_inputs(graph: Graph, model: Model, imported: Mapping[str, Node], label: str) -> dict[str, Node]:
    """What a model needs beside the data: a tokenizer fitted on its corpus, the recorded model that it starts from."""
    inputs: dict[str, Node] = {}
    corpus = getattr(model.tokenizer, "corpus", None) if type(model.tokenizer).needs_corpus else None
    if corpus is not None:
        prepared = prepare(graph, corpus, 0, f"{label} tokenizer corpus")
        config = FitTokenizerConfig(tokenizer=model.tokenizer)
        inputs["tokenizer"] = graph.add(FIT_TOKENIZER, config, {"corpus": prepared}, None, f"fit tokenizer {label}")
    if type(model).needs_base:
        inputs["base"] = imported[digest(model.model_dump(mode="json"))]
    return inputs
