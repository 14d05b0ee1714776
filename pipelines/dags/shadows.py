"""Shadow models: trained exactly as the target on pools of their own, one after another or many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.core.graph import Graph, Node
from tasks.core.measures import ShadowModels
from tasks.core.seeds import derive
from tasks.training.stackable import why_not_stacked
from tasks.training.steps import SHADOW, STACK, TRAIN, TRAIN_STACKED, ShadowConfig, TrainConfig, TrainStackedConfig

Train = Callable[[Graph, Any, int, str], tuple[Node, Node]]
"""A kind's own training: (graph, study, seed, label) to (prepared data, model artifact)."""


def shadow_models(graph: Graph, need: ShadowModels, study: Any, seed: int, label: str, train: Train) -> list[tuple[Node, Node]]:
    """The prepared data and the model artifact of each shadow model."""
    aside = graph.aside()
    single = [train(aside, study, derive(seed, "shadow", entity=index), f"shadow {index} {label}") for index in range(need.largest)]
    if need.layout != "stacked" or any(why_not(model) for _, model in single):
        wanted = single[: need.count]
        graph.take(node for pair in wanted for node in pair)
        return wanted
    firsts = range(0, need.count, STACK)
    return [pair for first in firsts for pair in _stacked(graph, single[first : first + STACK], first, label)][: need.count]


def why_not(trained: Node) -> str | None:
    """Why models that are trained as this one are trained one after another; None where they can be trained at once."""
    if trained.step is not TRAIN:
        return f"step {trained.step.name} makes one model at a time"
    assert isinstance(trained.config, TrainConfig)
    return why_not_stacked(trained.config)


def _stacked(graph: Graph, single: list[tuple[Node, Node]], first: int, label: str) -> list[tuple[Node, Node]]:
    """The same of models that are trained at once, in the place of their single trainings. All have the inputs of the first but for their data."""
    data, models = [data for data, _ in single], [model for _, model in single]
    graph.take(node for model in models for node in model.inputs.values())
    shared = {name: node for name, node in models[0].inputs.items() if name != "data"}
    seeds = tuple(model.seed or 0 for model in models)
    config = TrainStackedConfig(**{name: getattr(models[0].config, name) for name in TrainConfig.model_fields}, seeds=seeds)
    inputs = {**shared, **{f"data/{index}": node for index, node in enumerate(data)}}
    stack = graph.add(TRAIN_STACKED, config, inputs, None, f"train shadows {first} to {first + len(single) - 1} {label}")
    handed = [graph.add(SHADOW, ShadowConfig(index=index), {"stack": stack}, None, f"shadow {first + index} {label}") for index in range(len(single))]
    return list(zip(data, handed, strict=True))
