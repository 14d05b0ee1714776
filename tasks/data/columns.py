"""Columns: from a table's own names to the words of a record."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd


NEEDED = {
    "intent": ("text", "label"),
    "tagging": ("tokens", "slots"),
    "joint": ("text", "label", "tokens", "slots"),
    "qa": ("text", "context", "answer", "answer_start"),
    "seq2seq": ("text", "target"),
    "lm": ("text",),
    "mlm": ("text",),
}
"""The words of a record that each task cannot do without."""


class Columns(BaseModel):
    """Which column of a table is what; ``answers.text`` is the field ``text`` of a column of records, as SQuAD's answers are.

    Tokens and slots are lists, or strings split at white space. Of a list of answers the first counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | None = Field(default=None, description="The utterance, question or source; without it, the tokens joined.")
    label: str | None = Field(default=None, description="The intent or class.")
    tokens: str | None = Field(default=None, description="The words.")
    slots: str | None = Field(default=None, description="One tag per word.")
    context: str | None = Field(default=None, description="The passage that a question is about.")
    answer: str | None = Field(default=None, description="The part of the passage that answers the question.")
    answer_start: str | None = Field(default=None, description="The character of the passage, from 0, at which the answer begins.")
    target: str | None = Field(default=None, description="The text that is to be written for the source: a summary, a translation.")
    user: str | None = Field(default=None, description="Who said it.")
    time: str | None = Field(default=None, description="When.")
    group: str | None = Field(default=None, description="Group for fairness.")
    rating: str | None = Field(default=None, description="How biased an answer on it is, as people rated it: a number.")

    def named(self) -> dict[str, str]:
        """Those that are given: word of a record to column of the table."""
        return {word: column for word, column in self if column is not None}

    def unfit(self, task: str) -> str | None:
        """One line on the words that a task needs and no column is named for; None where it has all."""
        given = {*self.named(), *(["text"] if self.tokens is not None else [])}
        lacking = [word for word in NEEDED.get(task, ("text",)) if word not in given]
        return f"columns: task '{task}' needs {' and '.join(lacking)}: name the column of each" if lacking else None

    def absent(self, available: Sequence[str], where: str) -> str | None:
        """One line on the first column that a table lacks, with the closest name; None where it has all."""
        for word, column in self.named().items():
            if column not in available and column.partition(".")[0] not in available:
                close = get_close_matches(column, available, 1)
                hint = f"; did you mean '{close[0]}'?" if close else f"; it has {', '.join(map(str, available))[:200]}"
                return f"columns.{word}: {where} has no column '{column}'{hint}"
        return None


def named_records(table: pd.DataFrame, columns: Columns, where: str) -> pd.DataFrame:
    """The records of a table under the words that everything else uses. Raises DataError."""
    import pandas as pd

    from tasks.data.dataset import DataError

    problem = columns.absent([str(name) for name in table.columns], where)
    if problem:
        raise DataError(problem)
    records = pd.DataFrame({word: _column(table, column) for word, column in columns.named().items()})
    for word in ("tokens", "slots"):
        if word in records:
            records[word] = records[word].map(_words)
    for word in ("answer", "answer_start"):
        if word in records:
            records[word] = records[word].map(_first)
    for word in ("text", "label", "user", "group", "time", "context", "answer", "target"):
        if word in records:
            records[word] = records[word].map(lambda value: None if pd.isna(value) else str(value))
    for word in ("rating", "answer_start"):
        if word in records:
            records[word] = _numbers(records[word], word, columns.named()[word], where)
    if "text" not in records and "tokens" in records:
        records["text"] = records["tokens"].map(" ".join)
    return records


def share_as_test(records: pd.DataFrame, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test by a keyed coin per content: neither order nor seed matters, and equal records stand on one side, as do all questions about a passage.

    Both keep the places that their records have in the table, which an error names.
    """
    from tasks.core.seeds import uniform
    from tasks.data.pools import as_text, content_keys

    keys = records["context"].map(as_text) if "context" in records else content_keys(records)
    test = keys.map(lambda key: uniform(0, "test-share", key) < share).to_numpy(dtype=bool)
    return records[~test], records[test]


def _column(table: pd.DataFrame, column: str) -> pd.Series:
    """A column, or the field of a column of records."""
    if column in table:
        return table[column]
    outer, _, field = column.partition(".")
    return table[outer].map(lambda value: value.get(field) if hasattr(value, "get") else None)


def _first(value: Any) -> Any:
    """The first of several, none of none; anything else as it is."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return value[0] if len(value) else None


def _numbers(values: pd.Series, word: str, column: str, where: str) -> pd.Series:
    """Numbers, NaN where a cell is empty. Raises DataError for a word."""
    import pandas as pd

    from tasks.data.dataset import DataError

    found = pd.to_numeric(values, errors="coerce")
    wrong = found.isna() & values.notna()
    if wrong.any():
        raise DataError(f"columns.{word}: {where}, column '{column}', record {int(wrong.to_numpy().argmax()) + 1} is not a number")
    return found.astype(float)


def _words(value: Any) -> list[str]:
    """The words of a cell; none where it is empty."""
    if isinstance(value, str):
        return value.split()
    return [str(word) for word in value] if hasattr(value, "__len__") else []
