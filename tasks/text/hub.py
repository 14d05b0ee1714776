"""Folders of published models and tokenizers, or their names on the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tasks.core.errors import UserError


class HubError(UserError):
    """A published model or tokenizer cannot be had; the message is the one line a person needs."""


def source_digest(source: str, revision: str, names: Sequence[str]) -> str:
    """What a source stands for: the bytes of its named files, or the commit of a hub name. Raises HubError."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        hasher = hashlib.sha256()
        for name in names:
            for path in sorted(folder.glob(name)):
                with path.open("rb") as file:
                    hasher.update(f"{path.name}\x1f{hashlib.file_digest(file, 'sha256').hexdigest()}\x1e".encode())
        return hasher.hexdigest()[:32]
    return f"{source}@{_commit(source, revision)}"


def _commit(source: str, revision: str) -> str:
    from huggingface_hub import HfApi, try_to_load_from_cache

    if len(revision) == 40:
        return revision
    cached = try_to_load_from_cache(source, "config.json", revision=revision)
    if isinstance(cached, str):
        return Path(cached).parent.name
    try:
        return str(HfApi().model_info(source, revision=revision).sha)
    except Exception as error:
        advice = "give a folder, or the full commit as revision to work from the hub's cache"
        raise HubError(f"{source}: no such folder, and the hub cannot be asked ({type(error).__name__}); {advice}") from error
