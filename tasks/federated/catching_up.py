"""How soon a model that sees its data window by window is level with one that had all data at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tasks.core.measures import Measures, Row
from tasks.federated.continual_metrics import rounds_to_catch_up
from tasks.federated.federating import SCORES
from tasks.federated.scoring import ALL

if TYPE_CHECKING:
    from tasks.federated.steps import CatchUpConfig


def catch_up_measures(config: CatchUpConfig, model: Path, reference: Path) -> Measures:
    """``federated/rounds_to_catch_up``: rounds of the last window, in which all data has been seen by both, until the model scores within the
    margin of the reference at equal rounds, for ``hold`` checks in a row. Not reaching it is a result: no number, and the reason."""
    own, other = _course(model), _course(reference)
    both = own.merge(other, on="round", suffixes=("", "_reference"))
    conditions = {"scored": config.metric.kind, "margin": f"{config.margin:g}", "hold": str(config.hold), "from": f"round {config.start}"}
    common = {"name": "federated/rounds_to_catch_up", "direction": "lower", "conditions": conditions, "lowest": 0}
    rounds = both["round"].to_numpy(dtype=np.int64)
    found = rounds_to_catch_up(
        rounds, both["score"].to_numpy(), both["score_reference"].to_numpy(), config.start, config.margin, config.hold, config.metric.direction
    )
    if found is None:
        last = int(rounds.max()) if len(rounds) else 0
        return Measures((Row.model_validate({**common, "value": None, "status": "undefined", "reason": f"not caught up in {last - config.start} rounds"}),))
    return Measures((Row.model_validate({**common, "value": float(found - config.start)}),))


def _course(model: Path) -> pd.DataFrame:
    scores = pd.read_parquet(model / SCORES)
    return scores[(scores["window"] == ALL) & scores["score"].notna()][["round", "score"]]
