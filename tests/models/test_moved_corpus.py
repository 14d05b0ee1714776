"""A saved model needs the table that its tokenizer was fitted on no more."""

from __future__ import annotations

from pathlib import Path

from tasks.models.model import MODELS


def test_a_saved_block_is_read_although_its_corpus_is_gone(tmp_path: Path) -> None:
    corpus = {"kind": "files", "train": str(tmp_path / "gone.csv"), "columns": {"text": "text"}, "task": "lm"}
    values = {"kind": "bilstm", "tokenizer": {"kind": "trained", "corpus": corpus}}
    model = MODELS.members()["bilstm"].model_validate(values, context={"saved": True})
    assert str(model.tokenizer.corpus.train).endswith("gone.csv")  # type: ignore[attr-defined]
