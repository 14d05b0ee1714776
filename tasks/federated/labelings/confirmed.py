"""Few labels, and no others."""

from __future__ import annotations

from typing import Literal

from tasks.federated.labelings._few import FewLabels


class ConfirmedLabels(FewLabels):
    """Devices train on the records whose label their user confirmed, and on nothing else: what self-training has to beat."""

    kind: Literal["confirmed"]
