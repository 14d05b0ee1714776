"""Keeping what takes seconds to work out and depends on public numbers alone: on disk, once per machine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks.core.fingerprint import digest
from tasks.core.places import home

REVISION = 4
"""Raise it when calibration or accounting changes."""


def kept(asked: Mapping[str, Any], work: Callable[[], dict[str, Any]], checked: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """The answer to what is asked, from disk or worked out. A file that is damaged, or answers something else, is worked out again.

    Args:
        asked: plain values; they name the file, with the libraries' versions.
        work: works the answer out.
        checked: a kept answer as it should be; raises where it is another thing.
    """
    whole = _plain({**asked, "versions": _versions(), "revision": REVISION})
    path = home() / "mlruns" / "cache" / "accounts" / f"{digest(whole)}.json"
    found = _read(path, whole, checked)
    if found is None:
        found = work()
        _write(path, {**found, "asked": whole})
    return found


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Infinity, the shape of a Poisson law, is no JSON."""
    found: dict[str, Any] = json.loads(json.dumps(values).replace("Infinity", '"infinity"'))
    return found


def _versions() -> dict[str, str]:
    found = {}
    for name in ("dp-accounting", "prv-accountant"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _read(path: Path, asked: Mapping[str, Any], checked: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
        return checked(found) if found["asked"] == asked else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """Aside, then renamed. A machine without room or right to keep it works it out again."""
    aside = path.with_name(f"{path.stem}.{uuid.uuid4().hex}.aside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(values, indent=1) + "\n")
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
