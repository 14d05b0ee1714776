"""Recorded models in specs: an alias or a run becomes a fixed artifact of the store, whose digest enters every key."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.core.component import components_in
from tasks.core.fingerprint import digest, file_digest
from tasks.core.graph import Graph, Node
from tasks.core.step import Step, StepConfig, StepRun
from tasks.core.store import MANIFEST, Store
from tasks.models.model import Model

CIRCUMSTANCES = (MANIFEST, "metrics.jsonl", "measures.json", "environment.json")
"""Files of a model artifact that say how its training went, not what the model is."""


class ImportConfig(StepConfig):
    """Which bytes were imported."""

    content: str


def _cannot_make(config: ImportConfig, inputs: Mapping[str, Path], seed: int, run: StepRun) -> None:
    raise RuntimeError("an imported model was removed from the store while the study ran: run the study again")


IMPORT = Step("import-model", _cannot_make, ImportConfig)


def import_models(graph: Graph, studies: Iterable[Any], store: Store) -> dict[str, Node]:
    """A node for every recorded model that the studies refer to, by the digest of the component. Raises UnknownModel."""
    imported: dict[str, Node] = {}
    for study in studies:
        for component in components_in(study):
            if isinstance(component, Model) and type(component).needs_base:
                name = digest(component.model_dump(mode="json"))
                if name not in imported:
                    imported[name] = _import(graph, component, store)
    return imported


def _import(graph: Graph, component: Any, store: Store) -> Node:
    from tasks.runtime.mlflow_.registry import resolve

    found = resolve(component.run, component.name, component.alias, store.local / "unfinished" / f"download-{uuid.uuid4().hex}")
    files = sorted(path for path in found.folder.rglob("*") if path.is_file() and path.name not in CIRCUMSTANCES)
    content = digest({path.relative_to(found.folder).as_posix(): file_digest(path) for path in files})
    node = graph.add(IMPORT, ImportConfig(content=content), {}, None, f"import model of run {found.run}")
    if not store.intact(node.key):
        aside = store.local / "unfinished" / f"import-{uuid.uuid4().hex}"
        shutil.copytree(found.folder, aside, ignore=shutil.ignore_patterns(*CIRCUMSTANCES))
        store.commit(node.key, aside, {"step": "import-model", "producer": found.run})
    return node
