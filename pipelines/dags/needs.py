"""Measurements, and what they need: each need becomes steps of the kind's own training and asking, one per key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.dags.pieces import model_inputs, prepare
from pipelines.dags.shadows import Train, shadow_models
from specs.sweep import changed
from tasks.attacks.blind import BLIND, BlindBaseline, BlindConfig
from tasks.core.graph import Graph, Node
from tasks.core.measures import (
    FineTuned,
    InsertedRecords,
    Measurement,
    MechanismCheck,
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
from tasks.federated.mechanism_check import CHECK_FEDERATION, CheckFederationConfig
from tasks.federated.steps import FederateConfig
from tasks.models.model import MODELS, Model
from tasks.models.steps import PREDICT, PredictConfig
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.text.steps import FIT_VECTORS, FitVectorsConfig
from tasks.training.mechanism_check import CHECK_MECHANISM, CheckConfig
from tasks.training.steps import FINE_TUNE, TRAIN, FineTuneConfig, TrainConfig
from tasks.training.training import Training

Named = Iterator[tuple[str, Node]]


@dataclass(frozen=True)
class Target:
    """The trial that is measured, and how its kind trains."""

    graph: Graph
    study: Any
    seed: int
    label: str
    train: Train

    @property
    def trained(self) -> tuple[Node, Node]:
        """Its prepared data and its model artifact."""
        return self.train(self.graph, self.study, self.seed, self.label)

    def prepared(self, block: Mapping[str, Any], label: str) -> Node:
        """Other data, given as plain values."""
        return prepare(self.graph, _dataset(block), self.seed, f"{label} {self.label}")

    def asked(self, model: Node, data: Node, split: str, label: str) -> Node:
        """What a model says of a split."""
        return self.graph.add(PREDICT, PredictConfig(split=split), {"model": model, "data": data}, None, f"predict {label} {self.label}")


def measure(graph: Graph, measurement: Measurement, study: Any, seed: int, label: str, train: Train) -> Node:
    """The node of one measurement on the model of a trial, with every need turned into the kind's own steps."""
    target = Target(graph, study, seed, label, train)
    data, model = target.trained
    inputs = {"model": model, "data": data}
    for need in measurement.needs(study.model_dump(mode="json")):
        inputs |= {f"{NEEDED}{name}": node for name, node in MAKERS[type(need)](target, need)}
    name = measurement.label or measurement.kind
    return graph.add(MEASURE, MeasureConfig(measurement=measurement), inputs, seed, f"{name} {label}")


def _predictions(target: Target, need: Predictions) -> Named:
    data, model = target.trained
    read = data if need.data is None else target.prepared(need.data, need.label)
    named = f"{need.label}/{need.split}" if need.data is not None else need.split
    yield f"predictions/{named}", target.asked(model, read, need.split, named)


def _blind(target: Target, need: BlindBaseline) -> Named:
    yield "blind", target.graph.add(BLIND, BlindConfig(), {"data": target.trained[0]}, target.seed, f"blind baseline {target.label}")


def _shadows(target: Target, need: ShadowModels) -> Named:
    """Trained apart: they are never released."""
    pools, _ = target.trained
    made = shadow_models(target.graph, need, target.study.apart(), target.seed, target.label, target.train)
    for index, (data, model) in enumerate(made):
        yield f"shadow/{index}", model
        yield f"shadow/{index}/data", data
        for split in ("train", "nonmembers"):
            yield f"shadow/{index}/{split}", target.asked(model, pools, split, f"{split} by shadow {index}")


def _audited(target: Target, need: InsertedRecords) -> Named:
    """Trained apart: the audit's records are in no released model."""
    audited = target.study.apart(canaries=AuditRecords(kind="audit-records", count=need.count, own_users=need.own_users, texts=target.seed))
    for index in range(need.runs):
        data, model = target.train(target.graph, audited, derive(target.seed, "audit", entity=index), f"audited {index} {target.label}")
        yield f"audited/{index}/data", data
        yield f"audited/{index}", target.asked(model, data, CANARIES, f"audit records {index}")


def _reference(target: Target, need: ReferenceModel) -> Named:
    data, model = target.train(target.graph, changed(target.study, need.changes), target.seed, f"reference {need.label} {target.label}")
    yield f"reference/{need.label}", model
    yield f"reference/{need.label}/data", data


def _fine_tuned(target: Target, need: FineTuned) -> Named:
    kind = need.data["kind"]
    data = target.prepared(need.data, kind)
    how = FineTuneConfig(training=Training.model_validate(need.training), frozen=need.frozen)
    inputs = {"data": data, "base": target.trained[1]}
    yield "fine-tuned", target.graph.add(FINE_TUNE, how, inputs, target.seed, f"fine-tune on {kind} {target.label}")
    yield "fine-tuned/data", data


def _prepared_other(target: Target, need: PreparedOther) -> Named:
    yield f"data/{need.label}", target.prepared(need.data, need.label)


def _word_vectors(target: Target, need: WordVectors) -> Named:
    texts = target.prepared(need.data, "word vectors")
    config = FitVectorsConfig(dimension=need.dimension)
    yield f"vectors/{need.label}", target.graph.add(FIT_VECTORS, config, {"data": texts}, None, f"fit word vectors {target.label}")


def _trained_other(target: Target, need: TrainedOther) -> Named:
    data = target.prepared(need.data, need.label)
    model = MODELS.parse(need.model)
    assert isinstance(model, Model)
    config = TrainConfig(model=model, training=Training.model_validate(need.training), privacy=NoPrivacy(kind="none"), randomness="reproducible")
    inputs = {"data": data, **model_inputs(target.graph, model, {}, target.label)}
    yield f"trained/{need.label}", target.graph.add(TRAIN, config, inputs, target.seed, f"train {need.label} {target.label}")
    yield f"trained/{need.label}/data", data


def _mechanism(target: Target, need: MechanismCheck) -> Named:
    """Beside the trial's own training: the same config, inputs and seed."""
    _, model = target.trained
    label = f"check mechanism {target.label}"
    if isinstance(model.config, FederateConfig):
        federation = CheckFederationConfig.of(model.config, need.steps)
        yield "mechanism", target.graph.add(CHECK_FEDERATION, federation, model.inputs, model.seed, label)
        return
    assert isinstance(model.config, TrainConfig)  # a rule refuses kinds that train otherwise
    yield "mechanism", target.graph.add(CHECK_MECHANISM, CheckConfig.of(model.config, need.steps), model.inputs, model.seed, label)


MAKERS: Mapping[type[Need], Callable[[Target, Any], Named]] = {
    Predictions: _predictions,
    BlindBaseline: _blind,
    ShadowModels: _shadows,
    InsertedRecords: _audited,
    ReferenceModel: _reference,
    FineTuned: _fine_tuned,
    PreparedOther: _prepared_other,
    WordVectors: _word_vectors,
    TrainedOther: _trained_other,
    MechanismCheck: _mechanism,
}
"""What makes each need."""


def _dataset(block: Mapping[str, Any]) -> Dataset:
    found = DATASETS.parse(block)
    assert isinstance(found, Dataset)
    return found
