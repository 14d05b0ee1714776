"""The catalogue's files: pinned URLs, checked by SHA-256, kept in one cache folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.data.dataset import DataError


@dataclass(frozen=True)
class Source:
    """One published file: its name in the cache, where it is, what it must be."""

    name: str
    url: str
    sha256: str


def digest_of(sources: Sequence[Source]) -> str:
    """Digest of pinned files, known before any is read."""
    return hashlib.sha256("".join(source.sha256 for source in sources).encode()).hexdigest()[:32]


def fetch(dataset: str, source: Source, cache: Path) -> Path:
    """The file, from ``cache/<dataset>/<name>`` or downloaded there. A found file is checked, never changed. Raises DataError."""
    path = cache / dataset / source.name
    if path.exists():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != source.sha256:
            raise DataError(f"{path}: its SHA-256 is {found[:12]}..., expected {source.sha256[:12]}...; remove the file to download it again")
        return path
    return _download(dataset, source, path)


def _download(dataset: str, source: Source, path: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(source.url, known_hash=f"sha256:{source.sha256}", fname=path.name, path=path.parent)
    except Exception as error:
        advice = f"put the file there by hand, or set ASSAY_DATA to a folder that has {dataset}/{source.name}"
        reason = "it has another SHA-256 than expected" if "does not match the known hash" in str(error) else type(error).__name__
        raise DataError(f"{dataset}: {path} is absent and cannot be downloaded from {source.url} ({reason}); {advice}") from error
    return path
