"""A list of a component is read as a list, also where the component looks at its values before they are validated."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.errors import SpecErrors
from tests.specs.given import SMALL, loaded


@pytest.mark.parametrize("block", ["frozen: [embeddings]", "adapter: {kind: lora, targets: [query]}"])
def test_a_pretrained_model_takes_its_lists(tmp_path: Path, block: str) -> None:
    text = SMALL.replace("{kind: linear}", f"{{kind: pretrained, source: some/model, {block}}}")
    loaded(tmp_path, text)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_width_that_the_heads_do_not_divide_is_refused(tmp_path: Path, kind: str) -> None:
    task = "lm" if kind == "gpt2" else "intent"
    text = SMALL.replace("{kind: linear}", f"{{kind: {kind}, hidden_size: 10, heads: 4}}").replace("task: intent", f"task: {task}")
    with pytest.raises(SpecErrors, match=r"model: hidden_size must be a multiple of heads \(got 10 and 4\)"):
        loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("task", "columns", "lacking"),
    [
        ("intent", "text: text", "label"),
        ("tagging", "text: text", "tokens and slots"),
        ("lm", "label: label", "text"),
        ("qa", "text: text, context: label", "answer and answer_start"),
        ("seq2seq", "text: text", "target"),
    ],
)
def test_columns_that_a_task_needs_must_be_named(tmp_path: Path, task: str, columns: str, lacking: str) -> None:
    (tmp_path / "t.csv").write_text("text,label\na,b\n")
    data = f"{{kind: files, task: {task}, train: t.csv, columns: {{{columns}}}}}"
    with pytest.raises(SpecErrors, match=f"task '{task}' needs {lacking}: name the column of each"):
        loaded(tmp_path, f"kind: dp-training\nname: x\ndata: {data}\nmodel: {{kind: linear}}\n")
