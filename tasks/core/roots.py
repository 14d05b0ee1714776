"""Which folders a study may read when it comes through a server: whoever can submit one must not read the whole machine with it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationInfo

from tasks.core.places import checkout, data_folder, home

CONTEXT = "roots"
"""Where the folders stand in a validation context; absent where a person runs their own file."""


def roots() -> tuple[Path, ...]:
    """``ASSAY_ROOTS``, folders separated as in ``PATH``, else ``specs`` of the home folder and of the code; and the catalogue's files."""
    named = os.environ.get("ASSAY_ROOTS")
    folders = [Path(part).expanduser() for part in named.split(os.pathsep) if part] if named else [home() / "specs", checkout() / "specs"]
    return tuple(dict.fromkeys(folder.resolve() for folder in (*folders, data_folder())))


def outside(path: Path, allowed: tuple[Path, ...]) -> str | None:
    """What is wrong with reading a path through a server, or None. Links are followed; whether the file exists is not told."""
    found = path.expanduser().resolve()
    if any(found.is_relative_to(folder) for folder in allowed):
        return None
    return f"{path} lies outside the folders that studies submitted through a server may read ({', '.join(map(str, allowed))}): set ASSAY_ROOTS on the worker"


def check_readable(path: Path, info: ValidationInfo) -> None:
    """Raise ValueError where a spec that came through a server names a file outside the roots. Called before a component touches a path."""
    allowed = (info.context or {}).get(CONTEXT)
    problem = outside(path, allowed) if allowed is not None else None
    if problem:
        raise ValueError(problem)


def named_file(path: Path, info: ValidationInfo, *others: Path) -> Path:
    """The file that a spec names, absolute: beside the study's file, else in the current folder or one of some others. Raises ValueError with what to do."""
    folder = Path((info.context or {}).get("folder", "."))
    places = [path] if path.is_absolute() else [folder / path, *(place / path for place in (Path.cwd(), *others))]
    check_readable(places[0], info)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ValueError(f"no such file: {path} (looked in {', '.join(dict.fromkeys(str(place.parent.resolve()) for place in places))})")
    check_readable(found, info)
    return found.resolve()


def check_source(source: str, info: ValidationInfo) -> None:
    """The same for a source that is a folder or a hub name."""
    if is_path(source) or Path(source).is_dir():
        check_readable(Path(source), info)


def is_path(source: str) -> bool:
    """Whether a source can be no hub name (``name`` or ``owner/name``)."""
    return source.startswith((".", "/", "~")) or source.count("/") > 1
