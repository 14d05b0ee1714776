"""The pieces that the DAG of every kind is made of: prepare, train, measure, and what a measurement needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.dags.shadows import shadow_models
from specs.sweep import changed
from tasks.attacks.blind import BLIND, BlindBaseline, BlindConfig
from tasks.core.fingerprint import digest
from tasks.core.graph import Graph, Node
from tasks.core.measures import (
    FineTuned,
    InsertedRecords,
    Measurement,
    Need,
    Predictions,
    PreparedOther,
    ReferenceModel,
    ShadowModels,
    TrainedOther,
    WordVectors,
)
from tasks.core.measuring import MEASURE, NEEDED, MeasureConfig
from tasks.core.seeds import derive
from tasks.data.audit_records import AuditRecords
from tasks.data.dataset import DATASETS, Dataset
from tasks.data.insertion import SPLIT as CANARIES
from tasks.data.steps import INSERT, PREPARE, InsertConfig, PrepareConfig, seed_matters
from tasks.models.model import MODELS, Model
from tasks.models.steps import PREDICT, PredictConfig
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.text.steps import FIT_TOKENIZER, FIT_VECTORS, FitTokenizerConfig, FitVectorsConfig
from tasks.training.steps import FINE_TUNE, TRAIN, FineTuneConfig, TrainConfig
from tasks.training.training import Training

Train = Callable[[Graph, Any, int, str], tuple[Node, Node]]
"""A kind's own training: (graph, study, seed, label) to (prepared data, model artifact)."""


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


def measure(graph: Graph, measurement: Measurement, study: Any, seed: int, label: str, train: Train) -> Node:
    """The node of one measurement on the model of a trial, with every need turned into the kind's own steps."""
    data, model = train(graph, study, seed, label)
    inputs = {"model": model, "data": data}
    for need in measurement.needs(study.model_dump(mode="json")):
        inputs |= {f"{NEEDED}{name}": node for name, node in _needed(graph, need, study, seed, label, train)}
    name = measurement.label or measurement.kind
    return graph.add(MEASURE, MeasureConfig(measurement=measurement), inputs, seed, f"{name} {label}")


def _needed(graph: Graph, need: Need, study: Any, seed: int, label: str, train: Train) -> list[tuple[str, Node]]:
    if isinstance(need, Predictions):
        data, model = train(graph, study, seed, label)
        read = data if need.data is None else prepare(graph, _dataset(need.data), seed, f"{need.label} {label}")
        named = f"{need.label}/{need.split}" if need.data is not None else need.split
        node = graph.add(PREDICT, PredictConfig(split=need.split), {"model": model, "data": read}, None, f"predict {named} {label}")
        return [(f"predictions/{named}", node)]
    if isinstance(need, BlindBaseline):
        data, _ = train(graph, study, seed, label)
        return [("blind", graph.add(BLIND, BlindConfig(), {"data": data}, seed, f"blind baseline {label}"))]
    if isinstance(need, ShadowModels):
        target, _ = train(graph, study, seed, label)
        found = []
        for index, (data, model) in enumerate(shadow_models(graph, need, study.apart(), seed, label, train)):
            found += [(f"shadow/{index}", model), (f"shadow/{index}/data", data)]
            found += [(f"shadow/{index}/{split}", _predict(graph, model, target, split, f"shadow {index} {label}")) for split in ("train", "nonmembers")]
        return found
    if isinstance(need, InsertedRecords):
        audited = study.apart(canaries=AuditRecords(kind="audit-records", count=need.count, own_users=need.own_users, texts=seed))
        found = []
        for index in range(need.runs):
            data, model = train(graph, audited, derive(seed, "audit", entity=index), f"audited {index} {label}")
            found += [(f"audited/{index}/data", data), (f"audited/{index}", _predict(graph, model, data, CANARIES, f"audited {index} {label}"))]
        return found
    if isinstance(need, ReferenceModel):
        data, model = train(graph, changed(study, need.changes), seed, f"reference {need.label} {label}")
        return [(f"reference/{need.label}", model), (f"reference/{need.label}/data", data)]
    if isinstance(need, FineTuned):
        _, model = train(graph, study, seed, label)
        data = prepare(graph, _dataset(need.data), seed, f"{need.data['kind']} {label}")
        how = FineTuneConfig(training=Training.model_validate(need.training), frozen=need.frozen)
        tuned = graph.add(FINE_TUNE, how, {"data": data, "base": model}, seed, f"fine-tune on {need.data['kind']} {label}")
        return [("fine-tuned", tuned), ("fine-tuned/data", data)]
    if isinstance(need, PreparedOther):
        return [(f"data/{need.label}", prepare(graph, _dataset(need.data), seed, f"{need.label} {label}"))]
    if isinstance(need, WordVectors):
        texts = prepare(graph, _dataset(need.data), seed, f"word vectors {label}")
        vectors = graph.add(FIT_VECTORS, FitVectorsConfig(dimension=need.dimension), {"data": texts}, None, f"fit word vectors {label}")
        return [(f"vectors/{need.label}", vectors)]
    if isinstance(need, TrainedOther):
        return _trained_other(graph, need, seed, label)
    raise TypeError(f"no step makes a need of type {type(need).__name__}")


def _predict(graph: Graph, model: Node, data: Node, split: str, label: str) -> Node:
    return graph.add(PREDICT, PredictConfig(split=split), {"model": model, "data": data}, None, f"predict {split} {label}")


def _trained_other(graph: Graph, need: TrainedOther, seed: int, label: str) -> list[tuple[str, Node]]:
    data = prepare(graph, _dataset(need.data), seed, f"{need.label} {label}")
    model = MODELS.parse(need.model)
    assert isinstance(model, Model)
    config = TrainConfig(model=model, training=Training.model_validate(need.training), privacy=NoPrivacy(kind="none"), randomness="reproducible")
    inputs = {"data": data, **model_inputs(graph, model, {}, label)}
    node = graph.add(TRAIN, config, inputs, seed, f"train {need.label} {label}")
    return [(f"trained/{need.label}", node), (f"trained/{need.label}/data", data)]


def _dataset(block: Mapping[str, Any]) -> Dataset:
    found = DATASETS.parse(block)
    assert isinstance(found, Dataset)
    return found
