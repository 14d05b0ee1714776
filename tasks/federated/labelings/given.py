"""Labels of the data."""

from __future__ import annotations

from typing import Literal

from tasks.federated.labels import Labels


class GivenLabels(Labels):
    """Every record has the label that the data has."""

    kind: Literal["given"]
