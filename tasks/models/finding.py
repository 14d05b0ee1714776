"""Where a model artifact of Assay lies in a folder that a person names."""

from __future__ import annotations

import json
from pathlib import Path

EXPORTED = "assay"
"""The folder of an export that is the artifact itself."""


def artifact_in(folder: Path) -> Path | None:
    """The model artifact that a folder is, or that it holds as an export does; None for a folder of another library's model."""
    return next((found for found in (folder / EXPORTED, folder) if _is_artifact(found)), None)


def _is_artifact(folder: Path) -> bool:
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and "model" in said and (folder / "labels.json").is_file() and (folder / "model.safetensors").is_file()
