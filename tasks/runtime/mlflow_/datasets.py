"""The data of a run as MLflow shows it: name, digest, counts and where it comes from; never a record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

LONGEST_DIGEST = 36
"""What MLflow keeps of a digest."""
BATCH = 100


@dataclass(frozen=True)
class DataUsed:
    """Data that a run used.

    Args:
        name: what people call it.
        digest: ours, of every record; MLflow's own reads 10,000 rows.
        context: what it was used for.
        source_type: a word that MLflow knows (``http``, ``hugging_face``, ``local``, ``code``), so that its page links to the source.
        source: where it is, as that type is given.
        columns: names of its columns with their types.
        profile: counts and other facts about all of it.
    """

    name: str
    digest: str
    context: Literal["training", "testing"]
    source_type: str
    source: Mapping[str, Any]
    columns: Mapping[str, str]
    profile: Mapping[str, Any]


def log_data(client: MlflowClient, run: str, used: Iterable[DataUsed]) -> None:
    """Record what a run used. What it has already stays as it is."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    inputs = [
        DatasetInput(
            Dataset(data.name, data.digest[:LONGEST_DIGEST], data.source_type, json.dumps(data.source), _schema(data.columns), json.dumps(data.profile)),
            [InputTag(MLFLOW_DATASET_CONTEXT, data.context)],
        )
        for data in used
    ]
    for batch in _batches(inputs):
        client.log_inputs(run, batch)


def _schema(columns: Mapping[str, str]) -> str:
    """As MLflow's page reads it."""
    return json.dumps({"mlflow_colspec": [{"name": name, "type": kind, "required": True} for name, kind in columns.items()]})


def _batches(inputs: Sequence[Any]) -> list[list[Any]]:
    return [list(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH)]
