"""The groups of people that records are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = "|"
"""Between the groups of a record that is about several."""


def of_one_group(records: pd.DataFrame, groups: tuple[str, ...] = ()) -> pd.Series:
    """(N,) whether a record is about exactly one group, and, where some are named, about one of these."""
    group = records["group"]
    single = group.notna() & ~group.astype(str).str.contains(TOGETHER, regex=False)
    return single & group.isin(groups) if groups else single
