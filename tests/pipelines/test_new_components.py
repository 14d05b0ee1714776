"""A metric, a dataset and a model are each added by one file, without an edit elsewhere, and a study runs on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines import databases

CHECKOUT = Path(__file__).resolve().parents[2]

METRIC = '''
"""Share of wrong answers."""

from typing import ClassVar, Literal

from tasks.utility.metric import Scored, UtilityMetric


class ErrorRate(UtilityMetric):
    """Share of records whose label is wrong."""

    tasks: ClassVar[tuple[str, ...]] = ("intent",)
    direction: ClassVar[str] = "lower"
    kind: Literal["error-rate"]

    def score(self, predictions):
        import numpy as np

        wrong = (predictions["label"] != predictions["predicted"]).to_numpy(dtype=float)
        return Scored(np.column_stack([wrong, np.ones_like(wrong)]), lambda total: total[:, 0] / total[:, 1])
'''

DATASET = '''
"""Words that name their own label."""

from typing import Literal

from tasks.data.dataset import Dataset, RawData


class Echo(Dataset):
    """Ninety utterances of three labels."""

    private = False
    kind: Literal["echo"]

    def load(self, cache):
        import pandas as pd

        labels = ["red", "green", "blue"] * 30
        records = pd.DataFrame({"text": [f"say {label} number {index}" for index, label in enumerate(labels)], "label": labels})
        return RawData({"train": records, "test": records})
'''

MODEL = '''
"""A mean of word vectors."""

from typing import ClassVar, Literal

from tasks.models.model import Architecture


class MeanVector(Architecture):
    """A linear layer on the mean of word vectors."""

    tasks: ClassVar[tuple[str, ...]] = ("intent",)
    kind: Literal["mean-vector"]
    size: int = 16

    def build(self, shape, encoder, seed):
        import torch

        from tasks.core.seeds import torch_seeded

        class Network(torch.nn.Module):
            def __init__(network):
                super().__init__()
                network.words = torch.nn.Embedding(encoder.vocabulary_size, self.size)
                network.out = torch.nn.Linear(self.size, len(shape.labels))

            def forward(network, input_ids, attention_mask, position_ids):
                mask = attention_mask.unsqueeze(-1)
                return {"intent": network.out((network.words(input_ids) * mask).sum(1) / mask.sum(1))}

        with torch_seeded(seed, "initialise"):
            return Network()
'''

STUDY = """
kind: dp-training
name: added
data: {kind: echo}
model: {kind: mean-vector, size: 32}
training: {epochs: 30, expected_batch_size: 10, optimizer: {kind: adamw, learning_rate: 0.05}}
utility: [{kind: accuracy}, {kind: error-rate}]
gates: [{metric: utility/accuracy, at_least: 0.95}, {metric: utility/error_rate, at_most: 0.05}]
execution: {processes: 1}
"""

FILES = {
    "tasks/utility/metrics/error_rate.py": METRIC,
    "tasks/data/datasets/echo.py": DATASET,
    "tasks/models/architectures/mean_vector.py": MODEL,
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code with one new file per component."""
    for package in ("tasks", "specs", "pipelines"):
        shutil.copytree(CHECKOUT / package, tmp_path / package)  # with what is compiled, which a changed file makes stale
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "added.yaml").write_text(STUDY)
    databases.begin(tmp_path)
    return tmp_path


def assay(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "ASSAY_HOME": str(folder)}
    command = [sys.executable, "-m", "pipelines.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.slow
def test_a_study_runs_on_components_of_one_file_each(copy: Path) -> None:
    assert "mean-vector" in assay(copy, "components", "model").stdout
    done = assay(copy, "run", "added.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "error rate" in done.stdout and done.stdout.count("gate: Passed") == 2


def test_without_the_file_the_kind_is_unknown(copy: Path) -> None:
    (copy / "tasks/utility/metrics/error_rate.py").unlink()
    done = assay(copy, "validate", "added.yaml")
    assert done.returncode == 2
    assert "added.yaml:7:30: utility[1].kind: unknown kind 'error-rate'" in done.stderr
