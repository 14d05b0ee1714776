"""The step that fits a tokenizer on its declared corpus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from tasks.core.component import OneOf
from tasks.core.step import Step, StepConfig, StepRun
from tasks.text.tokenizer import TOKENIZERS, Tokenizer


class FitTokenizerConfig(StepConfig):
    """Which tokenizer, with its corpus."""

    tokenizer: Annotated[Tokenizer, OneOf(TOKENIZERS)]


def fit_tokenizer(config: FitTokenizerConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Learn the vocabulary on the training text of the prepared ``corpus``, passages and targets too; write ``tokenizer.json``."""
    from tasks.data.prepared import PreparedData
    from tasks.text._huggingface import fit

    records = PreparedData(inputs["corpus"]).split("train")
    texts = [text for column in ("text", "context", "target") if column in records for text in records[column]]
    vocabulary: int = config.tokenizer.vocabulary  # type: ignore[attr-defined]
    fit(texts, vocabulary).save(str(run.folder / "tokenizer.json"))


FIT_TOKENIZER = Step("fit-tokenizer", fit_tokenizer, FitTokenizerConfig)


class FitVectorsConfig(StepConfig):
    """How long the vectors are."""

    dimension: int = 100


def fit_vectors(config: FitVectorsConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    """Learn word vectors on the training text of ``data``, hard-debiased; write ``vectors.safetensors`` and ``vectors.json``."""
    from tasks.data.prepared import PreparedData
    from tasks.text._vectors import fit_debiased

    texts = PreparedData(inputs["data"]).split("train")["text"].tolist()
    fit_debiased(texts, config.dimension).save(run.folder)


FIT_VECTORS = Step("fit-vectors", fit_vectors, FitVectorsConfig)
