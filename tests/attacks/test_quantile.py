"""Quantile regression: it learns who is easy from text alone, and counts false positives on records that it has not learnt on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.attacks.made import folders, measured

SHIFT = 1.5


def pools_of_topics(folder: Path, shift: float, size: int = 3000, spread: float = 3.0) -> dict[str, Path]:
    """Records of twelve topics, which their words name and which decide how easy they are: logits N(mean of the topic, 1), larger by ``shift`` for members."""
    draw = np.random.default_rng(0)
    topic = draw.integers(12, size=size)
    member = np.arange(size) < size // 2
    logit = np.linspace(-spread, spread, 12)[topic] + shift * member + draw.normal(size=size)
    pools = pd.DataFrame({"id": [f"r{index}" for index in range(size)], "member": member, "loss": np.log1p(np.exp(-logit)), "score": draw.normal(size=size)})
    needed = folders(pools, folder)
    texts = [f"say topic{place} word{other}" for place, other in zip(topic, draw.integers(30, size=size), strict=True)]
    for split, chosen in (("train", member), ("nonmembers", ~member)):
        pools.loc[chosen, ["id"]].assign(text=np.array(texts)[chosen], label="x").to_parquet(folder / f"{split}.parquet", index=False)
    return needed


def test_what_the_text_tells_of_difficulty_is_no_hiding_place(tmp_path: Path) -> None:
    """Were the topics' quantiles known, the AUC would be Phi(SHIFT / sqrt(2)); a threshold on the loss stays far below."""
    needed = pools_of_topics(tmp_path, SHIFT)
    ideal = float(stats.norm.cdf(SHIFT / np.sqrt(2)))
    quantile, threshold = measured("quantile", needed, tmp_path, quantile=0.5), measured("loss-threshold", needed, tmp_path)
    assert quantile["auc"].value is not None and threshold["auc"].value is not None
    assert ideal - 0.05 < quantile["auc"].value < ideal + 0.02 and threshold["auc"].value < quantile["auc"].value - 0.1
    assert (quantile["tpr_at_1pct_fpr"].value or 0) > (threshold["tpr_at_1pct_fpr"].value or 0)


def test_false_positives_are_of_strangers(tmp_path: Path) -> None:
    """Where nobody is a member, members and others score alike: the interval of 99.99% holds one half. Trees that were asked about their own would not."""
    row = measured("quantile", pools_of_topics(tmp_path, 0.0), tmp_path, quantile=0.5)["auc"]
    assert row.value is not None and row.low is not None and row.high is not None
    assert abs(row.value - 0.5) < 4 / (2 * 1.96) * (row.high - row.low)


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_the_quantile_is_the_one_that_is_asked_for(quantile: float, tmp_path: Path) -> None:
    from tasks.attacks._membership import pools
    from tasks.attacks._quantile import above
    from tests.attacks.made import Quiet

    table = pools(pools_of_topics(tmp_path, SHIFT))
    scores = above(table, tmp_path, quantile, "example", 0, Quiet())
    others = int((~table["member"]).sum())
    below = int((scores[~table["member"]] <= 0).sum())
    assert abs(below / others - quantile) < 0.06  # boosted trees of a hundred rounds, out of fold
