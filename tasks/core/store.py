"""The artifact store: folders named by the hash of what made them, on a local disk or any fsspec URL.

An artifact is committed write-aside then renamed, so a reader sees all of it or nothing. Its manifest lists the hash of
every file; files are hashed again when read, and one that was tampered with counts as missing, so it is made again.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.core.errors import UserError
from tasks.core.fingerprint import file_digest
from tasks.core.places import home, shown_uri

MANIFEST = "manifest.json"


class DamagedArtifact(Exception):
    """An artifact is missing, incomplete or not what was committed."""


@dataclass(frozen=True)
class Store:
    """A content-addressed store.

    Args:
        url: a folder or an fsspec URL (``s3://bucket/prefix``, ``memory://x``) shared by machines.
        local: a folder of this machine for locks, unfinished work and, where the URL is not local, copies.
    """

    url: str
    local: Path

    @cached_property
    def _is_local(self) -> bool:
        return "://" not in self.url or self.url.startswith("file://")

    @cached_property
    def _root(self) -> str:
        return self.url.removeprefix("file://")

    @cached_property
    def _fs(self) -> Any:
        import fsspec

        return fsspec.core.url_to_fs(self.url)[0]

    @cached_property
    def _shelf(self) -> Path:
        """Where committed folders lie on this machine: the store itself, or copies of it."""
        return Path(self._root) / "artifacts" if self._is_local else self.local / "copies"

    def scratch(self, key: str) -> Path:
        """The folder of unfinished work on a key: progress, metric series, checkpoint. It outlives a kill."""
        return self.local / "unfinished" / key

    @contextmanager
    def lock(self, key: str, timeout: float = -1) -> Iterator[None]:
        """Held by the one process of this machine that works on a key; freed by the system when that process ends.

        Raises ``filelock.Timeout`` after ``timeout`` seconds; a negative one waits as long as it takes.
        """
        import filelock

        folder = self.local / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{key}.lock", timeout=timeout):
            yield

    def has(self, key: str) -> bool:
        """Whether an artifact was committed; its files are not read."""
        if (self._shelf / key / MANIFEST).exists():
            return True
        return not self._is_local and bool(self._fs.exists(f"{self.url}/artifacts/{key}/{MANIFEST}"))

    def intact(self, key: str) -> bool:
        """Whether an artifact is there and every file has the hash that was committed."""
        try:
            self.open(key)
        except DamagedArtifact:
            return False
        return True

    def open(self, key: str) -> Path:
        """The folder of an artifact, its files hashed again. Raises DamagedArtifact."""
        folder = self._shelf / key
        if not self._is_local and not (folder / MANIFEST).exists():
            self._fetch(key)
        for name, expected in self.manifest(key)["files"].items():
            path = folder / name
            if not path.is_file() or file_digest(path) != expected:
                raise DamagedArtifact(f"artifact {key}: {name} is not what was committed")
        return folder

    def manifest(self, key: str) -> dict[str, Any]:
        """What was committed: files with their hashes, and the record of what made them. Raises DamagedArtifact."""
        try:
            manifest: dict[str, Any] = json.loads((self._shelf / key / MANIFEST).read_text())
            if not isinstance(manifest["files"], dict):
                raise TypeError("files")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedArtifact(f"artifact {key}: there is no readable manifest") from error
        return manifest

    def commit(self, key: str, folder: Path, record: dict[str, Any]) -> Path:
        """Move a finished folder into the store. Where an intact artifact is there already, that one stays."""
        files = {path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        if MANIFEST in files:
            raise ValueError(f"artifact {key}: the name {MANIFEST} is the store's own")
        manifest = {"key": key, "files": files, "record": record, "committed": time.time()}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str) + "\n")
        target = self._shelf / key
        if self.intact(key):
            shutil.rmtree(folder)
            return target
        self.discard(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.parent / f".{key}.{uuid.uuid4().hex}"
        shutil.move(folder, aside)
        aside.rename(target)
        if not self._is_local:
            self._send(key, target)
        return target

    def discard(self, key: str) -> None:
        """Remove an artifact. Its manifest goes first, so that a kill leaves nothing that looks whole."""
        remote = f"{self.url}/artifacts/{key}"
        if not self._is_local and self._fs.exists(remote):
            self._fs.rm(f"{remote}/{MANIFEST}")
            self._fs.rm(remote, recursive=True)
        folder = self._shelf / key
        if folder.exists():
            (folder / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)

    def keys(self) -> list[str]:
        """The keys of all committed artifacts."""
        if self._is_local:
            return sorted(path.parent.name for path in self._shelf.glob(f"*/{MANIFEST}"))
        return sorted(str(path).split("/")[-2] for path in self._fs.glob(f"{self.url}/artifacts/*/{MANIFEST}"))

    def tidy(self, key: str) -> None:
        """Remove unfinished work on a key that is made: a kill right after a commit leaves it, and a secret key may lie there."""
        shutil.rmtree(self.scratch(key), ignore_errors=True)

    def unfinished(self) -> list[str]:
        """The keys that have unfinished work on this machine."""
        folder = self.local / "unfinished"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def asides(self) -> list[Path]:
        """Folders that a kill left between write-aside and rename."""
        return sorted(self._shelf.glob(".*")) if self._shelf.exists() else []

    def size(self, key: str) -> int:
        """Bytes of an artifact's files on this machine."""
        return sum(path.stat().st_size for path in (self._shelf / key).rglob("*") if path.is_file())

    def _send(self, key: str, folder: Path) -> None:
        """Copy to the shared URL, the manifest last: a reader takes an artifact as there only with its manifest."""
        remote = f"{self.url}/artifacts/{key}"
        for path in sorted(folder.rglob("*"), key=lambda path: path.name == MANIFEST):
            if path.is_file():
                self._fs.put_file(str(path), f"{remote}/{path.relative_to(folder).as_posix()}")

    def _fetch(self, key: str) -> None:
        remote = f"{self.url}/artifacts/{key}"
        if not self._fs.exists(f"{remote}/{MANIFEST}"):
            raise DamagedArtifact(f"artifact {key}: not in the store")
        aside = self._shelf / f".{key}.{uuid.uuid4().hex}"
        aside.mkdir(parents=True)
        manifest = json.loads(self._fs.cat_file(f"{remote}/{MANIFEST}"))
        for name in (*manifest["files"], MANIFEST):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            self._fs.get_file(f"{remote}/{name}", str(aside / name))
        shutil.rmtree(self._shelf / key, ignore_errors=True)
        aside.rename(self._shelf / key)


def reach_store(url: str) -> Store:
    """The store at a URL, once it has answered. Raises UserError where it cannot be reached."""
    store = open_store(url)
    try:
        store.has("-")
    except Exception as error:  # whatever the library of its file system raises
        raise UserError(f"the store at {shown_uri(url)} cannot be reached ({type(error).__name__}): check ASSAY_STORE and its credentials") from error
    return store


def open_store(url: str) -> Store:
    """The store at a URL; a local one keeps its locks and unfinished work inside, a shared one under the home folder."""
    local = Path(url.removeprefix("file://")) if "://" not in url or url.startswith("file://") else home() / "mlruns" / "shared-store"
    return Store(url, local)
