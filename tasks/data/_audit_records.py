"""Audit records as a table: the texts, the answers, the coins."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tasks.core.seeds import numpy_generator
from tasks.data.columns import NEEDED
from tasks.data.insertion import MARK, Inserted

if TYPE_CHECKING:
    from tasks.data.audit_records import AuditRecords
    from tasks.data.prepared import PreparedData

LETTERS = np.array(list("bcdfghjklmnpqrstvwxz"))
WORD = 8
"""Letters of a word: twenty to the eighth words, so that hardly two records share one."""


def inserted(block: AuditRecords, prepared: PreparedData, seed: int) -> Inserted:
    """See AuditRecords.insert. A word has the same slot wherever its text says it."""
    draw = numpy_generator(seed if block.texts is None else block.texts, "audit-records")
    letters = draw.integers(len(LETTERS), size=(block.count, block.different, WORD))
    tokens = [_in_turn(["".join(LETTERS[word]) for word in text], block.words) for text in letters]
    made = {"text": [" ".join(words) for words in tokens], "tokens": tokens}
    needed = NEEDED.get(prepared.task, ())
    if "label" in needed:
        made["label"] = [prepared.labels[place] for place in draw.integers(len(prepared.labels), size=block.count)]
    if "slots" in needed:
        places = draw.integers(len(prepared.slots), size=(block.count, block.different))
        made["slots"] = [_in_turn([prepared.slots[place] for place in row], block.words) for row in places]
    hosts = prepared.split("train")
    found = hosts.iloc[draw.integers(len(hosts), size=block.count)].reset_index(drop=True)
    found["id"] = [f"{MARK}audit-{number}" for number in range(block.count)]
    for name in ("text", *needed):
        found[name] = pd.Series(made[name], dtype=object)
    if block.own_users and "user" in found:
        found["user"] = found["id"]
    included = numpy_generator(seed, "audit-coins").random(block.count) < 0.5
    members = found[included].reset_index(drop=True)
    return Inserted({"train": members}, found.assign(included=included), facts={"count": block.count})


def _in_turn(few: list[str], count: int) -> list[str]:
    return list(islice(cycle(few), count))
