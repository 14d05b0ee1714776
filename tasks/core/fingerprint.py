"""Fingerprints: what makes two pieces of work the same work.

A step's key covers its resolved config, its inputs' keys, the outside bytes its components read, the seed, the first-party
code that the step's module and its components' modules import (transitively), and the versions of the numeric libraries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.core.component import Component, components_in

FIRST_PARTY = "tasks"
NUMERIC_LIBRARIES = ("torch", "numpy", "transformers", "opacus", "scikit-learn")


def digest(value: Any) -> str:
    """Hex digest of plain values (JSON with sorted keys)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keyed_values(value: Any) -> Any:
    """A config as plain values, without the fields marked as no part of the key."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {name: keyed_values(getattr(value, name)) for name, info in fields.items() if _is_keyed(info.json_schema_extra)}
    if isinstance(value, Mapping):
        return {str(name): keyed_values(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [keyed_values(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(keyed_values(item) for item in value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def step_key(name: str, module: str, config: BaseModel, inputs: Mapping[str, str], seed: int | None) -> str:
    """The key of a step: the name of its artifact in the store."""
    components = list(components_in(config))
    return digest(
        {
            "step": name,
            "config": keyed_values(config),
            "inputs": dict(inputs),
            "seed": seed,
            "contents": [content for content in map(_content, components) if content is not None],
            "code": code_digest([module, *(type(component).__module__ for component in components)]),
            "versions": library_versions(),
        }
    )


@cache
def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that decide numbers; those not installed are left out."""
    found = {}
    for name in NUMERIC_LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def code_digest(modules: Iterable[str]) -> str:
    """Digest of the code of some modules and of everything first-party that they import, however deep.

    A module of another distribution stands for itself: the distribution's version and the module's file.
    """
    first_party: set[str] = set()
    others: dict[str, str] = {}
    for module in modules:
        if module.split(".")[0] == FIRST_PARTY:
            first_party |= _closure(module)
        else:
            others[module] = f"{_distribution(module)} {_module_digest(module)}"
    return digest({**{module: _module_digest(module) for module in sorted(first_party)}, **others})


def _is_keyed(extra: Any) -> bool:
    return not (isinstance(extra, dict) and extra.get("fingerprint") is False)


def _content(component: Component) -> str | None:
    return component.content_digest()


@cache
def _imports() -> Any:
    import grimp

    from tasks.core.places import home

    cache_dir = str(home() / "mlruns" / "cache" / "grimp")
    return grimp.build_graph(FIRST_PARTY, exclude_type_checking_imports=True, cache_dir=cache_dir)


@cache
def _closure(module: str) -> frozenset[str]:
    graph = _imports()
    if module not in graph.modules:
        return frozenset({module})
    return frozenset({module, *graph.find_upstream_modules(module)})


@cache
def _module_digest(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not Path(spec.origin).exists():
        return "no file"
    return file_digest(Path(spec.origin))


@cache
def _distribution(module: str) -> str:
    names = packages_distributions().get(module.split(".")[0], [])
    return ", ".join(f"{name} {version(name)}" for name in sorted(set(names))) or "no distribution"
