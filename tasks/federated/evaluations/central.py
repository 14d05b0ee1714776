"""Test data at the server."""

from __future__ import annotations

from typing import Literal

from tasks.federated.evaluation import Evaluation


class Central(Evaluation):
    """The server holds the test records: one pooled score."""

    kind: Literal["central"]
