"""Garbage collection of the store: what no study's newest submission stands on goes, unless a process works on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.core.store import Store


@dataclass
class Collected:
    """What was (or would be) removed and kept."""

    artifacts: int = 0
    leftovers: int = 0
    bytes: int = 0
    kept: int = 0
    studies: int = 0
    busy: int = 0


def collect(store: Store, forget: Sequence[str], dry_run: bool) -> Collected:
    """Remove unneeded artifacts and leftovers. Raises KeyError(name, known names) for a study to forget that is not there."""
    references = {path.stem: path for path in sorted((store.local / "studies").glob("*.json"))}
    for name in forget:
        if name not in references:
            raise KeyError(name, ", ".join(references) or "none")
    kept = {name: path for name, path in references.items() if name not in forget}
    needed = {key for path in kept.values() for key in json.loads(path.read_text())["keys"]}
    found = Collected(studies=len(kept))
    for key in store.keys():  # noqa: SIM118
        if key in needed:
            found.kept += 1
        else:
            _remove_artifact(store, key, found, dry_run)
    for key in store.unfinished():
        if key not in needed or store.has(key):
            _remove_leftover(store, key, store.scratch(key), found, dry_run)
    for folder in store.asides():
        _remove_leftover(store, folder.name.split(".")[1], folder, found, dry_run)
    if not dry_run:
        for name in forget:
            references[name].unlink()
    return found


def _remove_artifact(store: Store, key: str, found: Collected, dry_run: bool) -> None:
    with _free(store, key) as free:
        if not free:
            found.busy += 1
            return
        found.artifacts += 1
        found.bytes += store.size(key)
        if not dry_run:
            store.discard(key)


def _remove_leftover(store: Store, key: str, folder: Path, found: Collected, dry_run: bool) -> None:
    with _free(store, key) as free:
        if not free:
            found.busy += 1
            return
        found.leftovers += 1
        found.bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if not dry_run:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _free(store: Store, key: str) -> Iterator[bool]:
    """Whether no process holds the key; while inside, none can take it."""
    import filelock

    try:
        with store.lock(key, timeout=0):
            yield True
    except filelock.Timeout:
        yield False
