"""Answers in passages as SQuAD judges them: by their words, not by their places."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_SIGNS = str.maketrans("", "", string.punctuation)


def normalised(answer: str) -> list[str]:
    """The words of an answer, lower-cased, without signs and articles (Rajpurkar et al., EMNLP 2016, the official script)."""
    return _ARTICLES.sub(" ", answer.lower().translate(_SIGNS)).split()


def answer_counts(records: pd.DataFrame, spans: Tensor, chosen: Tensor) -> pd.DataFrame:
    """Where the given and the predicted answer of each record begin and end in its passage, in characters, whether they are the same words, and how many words
    each has and both share.

    Args:
        records: with context, answer and answer_start.
        spans: (N, L, 2) the characters of each token.
        chosen: (N, 2) the first and the last token of the predicted answer.

    Returns:
        Numbers alone: ``start``, ``end``, ``predicted_start``, ``predicted_end``, ``exact``, ``words``, ``predicted_words``, ``shared_words``.
    """
    import pandas as pd

    rows = []
    for record, (context, answer, start) in enumerate(zip(records["context"], records["answer"], records["answer_start"], strict=True)):
        first, last = chosen[record].tolist()
        begin, end = (max(0, int(spans[record, first, 0])), max(0, int(spans[record, last, 1])))
        given, found = normalised(answer), normalised(context[begin:end])
        shared = sum((Counter(given) & Counter(found)).values())
        rows.append((int(start), int(start) + len(answer), begin, end, int(given == found), len(given), len(found), shared))
    names = ["start", "end", "predicted_start", "predicted_end", "exact", "words", "predicted_words", "shared_words"]
    return pd.DataFrame(rows, columns=names, index=records.index)
