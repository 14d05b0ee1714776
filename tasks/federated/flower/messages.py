"""What server and nodes say to each other, as Flower's records. Arrays travel as NumPy's own format, never as pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from torch import Tensor

from tasks.federated.contributions import Contribution
from tasks.federated.flower.node import Answer, Ask
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule

PARTITION = "partition-id"


def arrays(tensors: Sequence[Tensor]) -> ArrayRecord:
    """Tensors by place."""
    return ArrayRecord([np.ascontiguousarray(tensor.detach().cpu().numpy()) for tensor in tensors])


def tensors(record: ArrayRecord) -> list[Tensor]:
    """The tensors of ``arrays``."""
    return [torch.from_numpy(array.numpy().copy()) for array in record.values()]


def order(study: str, weights: ArrayRecord, asks: Sequence[Ask], window: int, round: int, rule: ClipRule | None, divisor: float) -> RecordDict:
    """What a node is sent: the study, the weights, and what its devices are asked."""
    each = ConfigRecord(
        {
            "window": window,
            "round": round,
            "divisor": divisor,
            "rule": "" if rule is None else rule.model_dump_json(),
            "clients": [ask.client for ask in asks],
            "seeds": [ask.seed for ask in asks],
            "weights": [ask.weight for ask in asks],
        }
    )
    return RecordDict({"study": ConfigRecord({"told": study}), "sent": weights, "round": each})


def asks_in(content: RecordDict) -> tuple[list[Ask], int, int, ClipRule | None, float]:
    """The devices that are asked, the window, the round, the clip rule and what weights are multiplied with."""
    each: Mapping[str, Any] = content.config_records["round"]
    asks = [Ask(*values) for values in zip(each["clients"], each["seeds"], each["weights"], strict=True)]
    rule = CLIP_RULES.parse(json.loads(each["rule"])) if each["rule"] else None
    assert rule is None or isinstance(rule, ClipRule)
    return asks, each["window"], each["round"], rule, each["divisor"]


def told_in(content: RecordDict) -> tuple[str, list[Tensor]]:
    """The study, and the weights that were sent."""
    return str(content.config_records["study"]["told"]), tensors(content.array_records["sent"])


def reply(answers: Sequence[Answer]) -> RecordDict:
    """What a node sends back: one record of arrays per device, and what they report."""
    reported = MetricRecord(
        {
            "clients": [answer.client for answer in answers],
            "num-examples": [answer.examples for answer in answers],
            "unclipped": [int(answer.given.unclipped) for answer in answers],
            "mean-loss": [answer.mean_loss for answer in answers],
            "rms-loss": [answer.rms_loss for answer in answers],
        }
    )
    return RecordDict({"reported": reported, **{f"device-{answer.client}": arrays(answer.given.tensors) for answer in answers}})


def answers_in(content: RecordDict) -> list[Answer]:
    """The answers of a node's devices."""
    reported: Mapping[str, Any] = content.metric_records["reported"]
    columns = (reported[name] for name in ("clients", "num-examples", "unclipped", "mean-loss", "rms-loss"))
    return [
        Answer(client, Contribution(tensors(content.array_records[f"device-{client}"]), bool(unclipped)), examples, mean, rms)
        for client, examples, unclipped, mean, rms in zip(*columns, strict=True)
    ]
