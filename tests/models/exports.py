"""Exported folders of small models, and a search through all their bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tasks.models.artifact import save_model
from tasks.models.exporting import Contents, Origin, export_model
from tasks.models.model import MODELS, Model, Started, TaskShape
from tests.models.samples import start

MEMBER = "6e47c0de29cde4f8305d7a49"
DATA: dict[str, Any] = {
    "kind": "files",
    "task": "intent",
    "digest": "2ce9f67dbd76b186e8c2b5c41ce81257",
    "counts": {"train": 3193, "test": 807},
    "public_size": 3000,
    "attack_holdout": 0,
    "population": None,
    "private": True,
    "members": [MEMBER, "5422ad7b9bc97707839bbbb8"],
}
PRIVATE: dict[str, Any] = {
    "guarantee": "example-level (3.0, 7.7e-06)-DP, add/remove",
    "epsilon": 2.998123456789,
    "delta": 7.7e-06,
    "unit": {"kind": "example"},
    "adjacency": "add-remove",
    "sampler": {"kind": "poisson", "rate": 0.0197},
    "steps": 508,
    "noise_multiplier": 1.23,
    "clipping": {"kind": "flat", "l2_clip_norm": 1.5},
    "accountant": "pld",
    "accountants": {"pld": [2.998, 2.998], "rdp": [3.1, 3.2]},
    "public_size": 13000,
    "randomness": "secret",
    "events": [{"noise_multiplier": 1.23, "rate": 0.0197, "count": 508}],
    "engine": "opacus-ghost",
}
NOTHING: dict[str, Any] = {"guarantee": "none"}


def save(folder: Path, started: Started, shape: TaskShape, privacy: Mapping[str, Any] = NOTHING, data: Mapping[str, Any] = DATA) -> Path:
    """A model artifact as a training leaves it, with the files that tell how it went."""
    folder.mkdir()
    save_model(folder, started, shape, privacy, data)
    (folder / "metrics.jsonl").write_text('{"name": "train/loss", "value": 0.25, "step": 1, "time": 0}\n')
    (folder / "manifest.json").write_text('{"key": "989487f44c6d03f442447cd174fb6eeb"}')
    (folder / "environment.json").write_text('{"device": "cpu", "precision": "fp32"}')
    return folder


def begun(values: Mapping[str, Any], shape: TaskShape, inputs: Mapping[str, Path] | None = None) -> Started:
    """A model block given as plain values, with weights that are not zero anywhere."""
    model = MODELS.parse(dict(values))
    assert isinstance(model, Model)
    started = model.start(shape, inputs or {}, 1)
    with torch.no_grad():
        for parameter in started.network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(7)))
    started.network.eval()
    return started


def exported(artifact: Path, folder: Path, origin: Origin | None = None) -> Contents:
    """An export into a new folder."""
    folder.mkdir()
    return export_model(artifact, folder, origin)


def export_sample(name: str, folder: Path, privacy: Mapping[str, Any] = NOTHING, origin: Origin | None = None) -> tuple[Started, TaskShape, Path]:
    """A sample of ``BLOCKS``, its artifact in ``artifact`` and its export in ``out``."""
    started, shape = start(name, folder)
    exported(save(folder / "artifact", started, shape, privacy), folder / "out", origin)
    started.network.eval()
    return started, shape, folder / "out"


def holding(folder: Path, text: str) -> list[str]:
    """The files of a folder that hold a text anywhere in their bytes."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes())


def snippet(folder: Path) -> str:
    """The Python of a card; there is one block."""
    (found,) = re.findall(r"^```python\n(.*?)^```$", (folder / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(found)
