"""Drafting a study: a first YAML file from a name and, where there is one, a table of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.data.columns import Columns

COLUMN_NAMES = {
    "text": ("text", "utterance", "sentence", "query", "message", "content", "comment", "input", "body", "review"),
    "label": ("label", "labels", "intent", "class", "category", "target", "topic", "sentiment"),
    "tokens": ("tokens", "words"),
    "slots": ("slots", "tags", "ner_tags", "slot_tags", "bio"),
    "user": ("user", "user_id", "uid", "speaker", "author", "client"),
    "time": ("time", "timestamp", "date", "datetime", "created_at"),
    "group": ("group", "gender", "dialect", "race", "age_group", "demographic"),
    "rating": ("rating", "bias_rating", "rated_bias"),
}
"""What people call the columns of the tasks that are drafted, most usual first."""

HEAD = """\
# {title}
#   assay validate {file}
#   assay plan {file}
#   assay run {file}
# All that can stand here: assay components
kind: dp-training
name: {name}
question: {question}

"""

DATA = """\
data:
  kind: files
  task: {task}
  train: {train}
  test: 0.2                   # a fifth of the records, by a coin each
  columns:
{rows}"""

TAIL = """\

training:
  epochs: 10
  expected_batch_size: 64
  optimizer: {{kind: adamw, learning_rate: 0.005}}

sweep:
  seeds: [0, 1, 2, 3, 4]      # five seeds, so that a claim can be tested
  baseline: {baseline}
  arms:
    {baseline}: {{}}
    {other}
    # private: {{{private}, data.public_size: 10000}}     # the number of records as the world may know it

claims:
  - id: larger-helps
    says: {claim}
    metric: {metric}
    arm: larger
    versus: {baseline}
    better: true
"""


def guess_columns(header: Sequence[str]) -> dict[str, str]:
    """Word of a record to column of a table, by what people call them. Raises ValueError where there is neither text nor tokens."""
    folded = {name.strip().lower().replace(" ", "_").replace("-", "_"): name for name in header}
    found = {}
    for word in Columns.model_fields:
        column = next((folded[known] for known in COLUMN_NAMES.get(word, ()) if known in folded), None)
        if column is not None:
            found[word] = column
    if "text" not in found and "tokens" not in found:
        known = ", ".join(COLUMN_NAMES["text"])
        raise ValueError(
            f"no column of {', '.join(header)[:200] or 'an empty table'} looks like text (known names: {known}); rename one, or write data.columns by hand"
        )
    return found


def draft(name: str, file: Path, table: Path | None) -> str:
    """The text of a first study. Raises ValueError for a table that cannot be used."""
    if table is None:
        return _text(name, file, "data: {kind: synthetic-assistant, task: intent}\n", "intent")
    from tasks.data._tables import header

    columns = guess_columns(header(table))
    task = _task(columns)
    rows = "".join(f"    {word}: {_quoted(column)}\n" for word, column in columns.items())
    data = DATA.format(task=task, train=_quoted(_beside(table, file)), rows=rows)
    return _text(name, file, data, task)


def _task(columns: Mapping[str, str]) -> str:
    slots, label = {"tokens", "slots"} <= columns.keys(), "label" in columns
    return "joint" if slots and label else "tagging" if slots else "intent" if label else "lm"


def _text(name: str, file: Path, data: str, task: str) -> str:
    causal = task == "lm"
    model = "model: {kind: gpt2, layers: 2, hidden_size: 64, heads: 4}\n" if causal else "model: {kind: bilstm, hidden_size: 64}\n"
    change = "model: {layers: 4, hidden_size: 128}" if causal else "model.hidden_size: 128"
    metric = {"lm": "utility/bits_per_byte", "tagging": "utility/slot_f1"}.get(task, "utility/accuracy")
    private = "privacy: {kind: dp-sgd, target_epsilon: 8}"
    head = HEAD.format(title=f"Study {name}.", file=file, name=name, question="Is a larger model better here, and what does it cost?")
    tail = TAIL.format(baseline="small", other=f"larger: {{{change}}}", claim="The larger model is better than the small one", metric=metric, private=private)
    return head + data + "\n" + model + tail


def _beside(table: Path, file: Path) -> str:
    """The table's path as the spec says it: relative to the spec's folder where it lies below, else absolute."""
    folder, table = file.resolve().parent, table.resolve()
    return table.relative_to(folder).as_posix() if table.is_relative_to(folder) else table.as_posix()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)
