"""What is trained one model after another, with the reason; everything else may be stacked."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.training.stackable import why_not_stacked
from tasks.training.steps import TrainConfig

PLAIN: dict[str, Any] = {"model": {"kind": "bert"}, "training": {}, "privacy": {"kind": "none"}, "randomness": "reproducible"}


def test_a_plain_training_may_be_stacked() -> None:
    for kind in ("linear", "bilstm", "bert", "gpt2"):
        whole = {"optimizer": {"kind": "sgd"}, "schedule": {"kind": "cosine"}, "max_gradient_norm": 1, "precision": "bf16"}
        for training in ({}, whole):
            assert why_not_stacked(TrainConfig.model_validate({**PLAIN, "model": {"kind": kind}, "training": training})) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"privacy": {"kind": "dp-sgd", "target_epsilon": 1}}, "privacy dp-sgd"),
        ({"search": {"kind": "random-stopping", "over": {"model.dropout": [0.1, 0.2]}}}, "a search"),
        ({"randomness": "secret"}, "secret randomness"),
        ({"model": {"kind": "pretrained", "source": "some/model"}}, "model pretrained begins from published"),
        ({"model": {"kind": "mlflow", "run": "a"}}, "model mlflow begins from published or recorded weights"),
        ({"training": {"early_stopping": {}}}, "early stopping"),
        ({"training": {"augmentation": {}}}, "augmentation"),
        ({"training": {"pairing": {}}}, "pairing"),
        ({"training": {"activation_checkpointing": True}}, "activation checkpointing"),
    ],
)
def test_what_cannot_be_stacked_says_why(change: dict[str, Any], said: str) -> None:
    reason = why_not_stacked(TrainConfig.model_validate({**PLAIN, **change}))
    assert reason is not None and reason.startswith(said)
