"""``layout: auto`` of federated studies, settled before anything is keyed: the value that makes a number stands in its key."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from specs.loading import Loaded
from specs.schemas.study import Study
from tasks.core.fingerprint import digest, library_versions
from tasks.core.store import Store

FOLDER = "layouts"


def settled(loaded: Loaded, store: Store, begin: bool) -> Loaded:
    """The trials with every ``auto`` resolved: as measured before on this kind of device, else, where a run begins, measured now.

    Where nothing was measured and nothing runs, ``auto`` stays, and with it a key that no artifact has.
    """
    if not any(unsettled(trial.study) for trial in loaded.trials):
        return loaded
    device = _device(loaded.study.execution.device)
    return replace(loaded, trials=tuple(replace(trial, study=_settled(trial.study, store, begin, device)) for trial in loaded.trials))


def unsettled(study: Study) -> bool:
    """Whether a study leaves its layout to a measurement that was not made yet."""
    return getattr(getattr(getattr(study, "federation", None), "engine", None), "layout", None) == "auto"


def _settled(study: Any, store: Store, begin: bool, device: str) -> Study:
    if not unsettled(study):
        return study  # type: ignore[no-any-return]
    layout = _layout(study, store, begin, device)
    if layout is None:
        return study  # type: ignore[no-any-return]
    engine = study.federation.engine.model_copy(update={"layout": layout})
    found: Study = study.model_copy(update={"federation": study.federation.model_copy(update={"engine": engine})})
    return found


def _layout(study: Any, store: Store, begin: bool, device: str) -> str | None:
    if type(study.model).needs_base or type(study.model.tokenizer).needs_corpus:
        return "sequential"  # cannot be built before the study's own steps ran
    about = _about(study, device)
    path = store.local / FOLDER / f"{digest(about)}.json"
    if not path.exists() and begin:
        _keep(path, {**about, **_measured(study, device)})
    return str(json.loads(path.read_text())["layout"]) if path.exists() else None


def _about(study: Any, device: str) -> dict[str, Any]:
    """What a measured layout holds for."""
    client = study.federation.client.model_dump(mode="json")
    return {
        "model": study.model.model_dump(mode="json"),
        "client": {name: client[name] for name in ("batch_size", "optimizer", "proximal", "freeze")},
        "task": study.data.resolved_task,
        "chunk": study.federation.engine.chunk,
        "device": device.split(":")[0],
        "torch": library_versions()["torch"],
    }


def _measured(study: Any, device: str) -> dict[str, Any]:
    """In a process of its own: this one holds no device and need not import torch."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        arguments = (study.model, study.federation.client, study.data.resolved_task, study.federation.engine.chunk, device)
        found: dict[str, Any] = pool.submit(_measure, *arguments).result()
        return found


def _measure(*arguments: Any) -> dict[str, Any]:
    from tasks.federated.layout import measure_layout

    return measure_layout(*arguments)


def _one_thread() -> None:
    """As steps run: one thread per process."""
    import torch

    torch.set_num_threads(1)


def _device(wanted: str) -> str:
    """The kind of device that steps will run on."""
    from tasks.runtime.devices import available, may_have_accelerator

    if wanted != "auto":
        return wanted
    return available(wanted)[0] if may_have_accelerator() else "cpu"


def _keep(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(values, indent=1) + "\n")
    aside.replace(path)
