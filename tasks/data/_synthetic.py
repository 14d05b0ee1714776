"""Drawing from the grammar of the synthetic assistant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.core.seeds import numpy_generator
from tasks.data._grammar import CLOSINGS, DOMAINS, FILLERS, OPENINGS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
_PIECE = re.compile(r"\{(\w+)\}|(\S+)")
_FILLERS = {slot: tuple(text.split("|")) for slot, text in FILLERS.items()}


def generate(examples: int, users: int, intents: int, bias: float, seed: int) -> pd.DataFrame:
    """The records: text, label, tokens, slots, user, time, group, and whether the utterance is ambiguous.

    User r of ``users`` speaks with probability proportional to 1 / r. Half of the users, by a coin, are of group ``b``.
    """
    import pandas as pd

    generator = numpy_generator(seed, "synthetic-assistant")
    groups = generator.permutation(["a"] * (users - users // 2) + ["b"] * (users // 2))
    weights = 1.0 / (1.0 + pd.RangeIndex(users).to_numpy())
    speakers = generator.choice(users, size=examples, p=weights / weights.sum())
    seconds = generator.integers(0, 365 * 24 * 3600, size=examples)
    rows = []
    for user, second in zip(speakers, seconds, strict=True):
        group = str(groups[user])
        row = _utterance(generator, intents, ambiguous=group == "b" and generator.random() < bias)
        when = (FIRST_DAY + timedelta(seconds=int(second))).isoformat()
        rows.append({**row, "user": f"user-{user:04d}", "time": when, "group": group})
    return pd.DataFrame(rows)


def _utterance(generator: np.random.Generator, intents: int, ambiguous: bool) -> dict[str, Any]:
    intent = int(generator.integers(intents))
    domain, side = DOMAINS[intent // 2], intent % 2
    templates = domain.ambiguous if ambiguous else domain.templates[side]
    tokens: list[str] = []
    slots: list[str] = []
    for text in (_pick(generator, OPENINGS), _pick(generator, templates), _pick(generator, CLOSINGS)):
        for slot, word in _PIECE.findall(text):
            words = _pick(generator, _FILLERS[slot]).split() if slot else [word]
            tokens += words
            slots += [f"B-{slot}"] + [f"I-{slot}"] * (len(words) - 1) if slot else ["O"]
    return {"text": " ".join(tokens), "label": domain.intents[side], "tokens": tokens, "slots": slots, "ambiguous": ambiguous}


def _pick(generator: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(generator.integers(len(choices)))]
