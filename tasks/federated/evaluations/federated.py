"""Test data on devices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.federated.evaluation import Evaluation
from tasks.federated.private_sums import PrivateSums


class Federated(Evaluation):
    """Each device holds its own test records and reports one score: a check is the mean over devices, light and heavy alike.

    A device whose test records have no score (no slot, no text) reports nothing.
    """

    kind: Literal["federated"]
    devices: int = Field(default=200, ge=1, description="Devices that score at a check, the same ones each time; the final measures ask all.")
    private: PrivateSums | None = Field(default=None, description="Checks hand over sums with noise, of a bounded number of records per device.")
