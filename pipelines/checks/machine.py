"""Checks of the machine and its environment: Python, packages, devices, disk, telemetry."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from pipelines.checks.finding import Finding
from tasks.core.places import home

LEAST_DISK = 2 * 2**30
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")
SWITCHES: dict[str, dict[str, tuple[str, ...]]] = {
    "Prefect": {"DO_NOT_TRACK": ("1", "true", "yes"), "PREFECT_SERVER_ANALYTICS_ENABLED": FALSE},
    "MLflow": {"MLFLOW_DISABLE_TELEMETRY": ("1", "true")},
    "Hugging Face": {"HF_HUB_DISABLE_TELEMETRY": TRUE},
}
"""What turns a library's telemetry off, in the words that the library understands. Each is set wherever the user says nothing."""


def python() -> Finding:
    """The interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 11) <= sys.version_info[:2] < (3, 13), found, "make the environment with Python 3.11 or 3.12: make setup")


def packages() -> Finding:
    """Every requirement of this distribution, met."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("assay") or () if "extra ==" not in text]
    except PackageNotFoundError:
        return Finding("packages", False, "assay itself is not installed", "make setup")
    wrong = []
    for requirement in wanted:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} {found} (needs {requirement.specifier})")
    return Finding("packages", not wrong, "; ".join(wrong) or f"{len(wanted)} requirements met", "pip install -c infra/constraints.txt -e .")


def devices() -> Finding:
    """What steps run on."""
    from tasks.runtime.devices import available, pool_size

    return Finding("devices", True, f"{', '.join(available('auto'))}; {pool_size('auto', 'auto')} steps side by side")


def disk() -> Finding:
    """Room for artifacts."""
    free = shutil.disk_usage(next(folder for folder in (home(), *home().parents) if folder.exists())).free
    fix = "free some space: assay gc, or remove mlruns/artifacts of old studies"
    return Finding("disk", free >= LEAST_DISK, f"{free / 2**30:.0f} GiB free at {home()}", fix)


def telemetry() -> Finding:
    """The switch of every library that would call home. A user's own setting is kept, so one that turns telemetry on is told."""
    on = {
        f"{library} ({name}={os.environ[name]})": name
        for library, switches in SWITCHES.items()
        for name, off in switches.items()
        if name in os.environ and os.environ[name].lower() not in off
    }
    if on:
        return Finding("telemetry", False, f"on: {', '.join(on)}", f"unset {' '.join(dict.fromkeys(on.values()))}")
    return Finding("telemetry", True, f"off: {', '.join(SWITCHES)}")


def hub() -> Finding:
    """Whether models and data may be fetched."""
    offline = [name for name in OFFLINE if os.environ.get(name) in ("1", "true", "True")]
    return Finding("hub", True, f"off ({', '.join(offline)})" if offline else "asked only for models and data that a study names")
