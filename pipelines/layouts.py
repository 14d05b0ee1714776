"""``layout: auto`` of federated studies and of shadow models, settled before anything is keyed: the value that makes a number stands in its key."""

from __future__ import annotations

import importlib
import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.dags.shadows import why_not
from pipelines.importing import import_models
from specs.loading import Loaded
from specs.sweep import Trial
from tasks.core.fingerprint import digest, library_versions
from tasks.core.graph import Graph, Node
from tasks.core.measures import Layout, ShadowModels
from tasks.core.store import Store
from tasks.data.steps import INSERT
from tasks.training.steps import STACK

FOLDER = "layouts"
UNKNOWN = "is measured when the study first runs here; until then"


@dataclass(frozen=True)
class Question:
    """Which of two layouts is faster, as a study asks it.

    Args:
        wanted: what the study says.
        module: whose ``measure_layout(*arguments, device)`` answers it.
        arguments: what is timed.
        about: what the answer holds for, beside the kind of device and torch's version.
        never: why it cannot be stacked; None where it may be.
        untimed: why nothing can be timed; None where it can.
    """

    wanted: Layout
    module: str
    arguments: tuple[Any, ...]
    about: Mapping[str, Any]
    never: str | None = None
    untimed: str | None = None


@dataclass(frozen=True)
class Answer:
    """A layout, with the reason where it is sequential because the other cannot be used."""

    layout: Layout
    reason: str | None = None


@dataclass
class Settling:
    """Settles the layouts of a study's trials.

    Args:
        store: keeps what was measured.
        begin: whether a run begins, which measures.
        device: the kind that steps run on.
        together: processes of one training.
        said: what people should know of it, a line each.
    """

    store: Store
    begin: bool
    device: str
    together: int
    said: list[str] = field(default_factory=list)

    def trial(self, trial: Trial) -> Trial:
        """The trial with every layout that is known."""
        study: Any = trial.study
        federated = _of_federation(study)
        if federated is not None:
            answer = self._answer(federated)
            self._tell(answer, "federation.engine.layout", "no step of a federated trial is known")
            engine = study.federation.engine.model_copy(update={"layout": answer.layout})
            study = study.model_copy(update={"federation": study.federation.model_copy(update={"engine": engine})})
        if _shadows(study):
            study = study.model_copy(update={"attacks": tuple(self._attack(attack, study, trial) for attack in study.attacks)})
        return replace(trial, study=study)

    def _attack(self, attack: Any, study: Any, trial: Trial) -> Any:
        count = _shadow_count(attack, study)
        if not count:
            return attack
        answer = self._answer(_of_shadows(attack.layout, count, _target(trial, self.store), self.together))
        self._tell(answer, f"attacks, {attack.label or attack.kind}: layout", "the steps of its shadow models are not known")
        return attack.model_copy(update={"layout": answer.layout})

    def _answer(self, question: Question) -> Answer:
        if question.never is not None:
            return Answer("sequential", question.never)
        if question.wanted != "auto":
            return Answer(question.wanted)
        if question.untimed is not None:
            return Answer("sequential", question.untimed)
        about = {**question.about, "device": self.device.split(":")[0], "torch": library_versions()["torch"]}
        path = self.store.local / FOLDER / f"{digest(about)}.json"
        if not path.exists() and self.begin:
            _keep(path, {**about, **_measured(question, self.device)})
        if not path.exists():
            return Answer("auto")
        found = json.loads(path.read_text())
        return Answer(found["layout"], found.get("reason"))

    def _tell(self, answer: Answer, where: str, unknown: str) -> None:
        line = None
        if answer.layout == "auto":
            line = f"{where}: auto {UNKNOWN} {unknown}"
        elif answer.reason is not None:
            line = f"{where}: sequential, for {answer.reason}"
        if line is not None and line not in self.said:
            self.said.append(line)


def settled(loaded: Loaded, store: Store, begin: bool) -> tuple[Loaded, tuple[str, ...]]:
    """The trials with every ``auto`` resolved: as measured before on this kind of device, else, where a run begins, measured now. Models that cannot be
    trained at once are trained one after another; the lines say why.

    Where nothing was measured and nothing runs, ``auto`` stays, and with it a key that no artifact has.
    """
    if not any(_of_federation(trial.study) is not None or _shadows(trial.study) for trial in loaded.trials):
        return loaded, ()
    execution = loaded.study.execution
    settling = Settling(store, begin, _device(execution.device), execution.processes_per_training)
    trials = tuple(settling.trial(trial) for trial in loaded.trials)
    return replace(loaded, trials=trials), tuple(settling.said)


def _of_federation(study: Any) -> Question | None:
    """Of the cohorts of a federated study that leaves it open."""
    federation: Any = getattr(study, "federation", None)
    if federation is None or getattr(federation.engine, "layout", None) != "auto":
        return None
    client = federation.client.model_dump(mode="json")
    about = {
        "model": study.model.model_dump(mode="json"),
        "client": {name: client[name] for name in ("batch_size", "optimizer", "proximal", "freeze")},
        "task": study.data.resolved_task,
        "chunk": federation.engine.chunk,
    }
    arguments = (study.model, federation.client, study.data.resolved_task, federation.engine.chunk)
    return Question("auto", "tasks.federated.layout", arguments, about, untimed=_untimed(study.model))


def _of_shadows(wanted: Layout, count: int, target: tuple[Node, Node], together: int) -> Question:
    """Of shadow models, which are trained as the target: (its data, its model)."""
    data, model = target
    never = why_not(model) or ("a training by several processes is of one model" if together > 1 else None)
    if never is not None:
        return Question(wanted, "", (), {}, never)
    config: Any = model.config
    prepared: Any = data.inputs["data"].config if data.step is INSERT else data.config
    task, stack = prepared.data.resolved_task, min(count, STACK)
    training = config.training.model_dump(mode="json")
    about = {
        "model": config.model.model_dump(mode="json"),
        "training": {name: training[name] for name in ("expected_batch_size", "optimizer", "precision", "max_gradient_norm")},
        "task": task,
        "stack": stack,
    }
    return Question(wanted, "tasks.training.layout", (config.model, config.training, task, stack), about, untimed=_untimed(config.model))


def _untimed(model: Any) -> str | None:
    """Why a model cannot be built before the study's own steps ran; None where it can."""
    if type(model).needs_base:
        return "its weights are those of another model, and it is not timed before they are there"
    return "its tokenizer is fitted by a step of the study, and it is not timed before" if type(model.tokenizer).needs_corpus else None


def _shadows(study: Any) -> bool:
    """Whether a study's attacks ask for shadow models that may be stacked. What an audit trains is private, and never is."""
    return not study.has_champion and any(_shadow_count(attack, study) for attack in getattr(study, "attacks", ()))


def _shadow_count(attack: Any, study: Any) -> int:
    """How many shadow models an attack asks for that may be stacked."""
    if getattr(attack, "layout", "sequential") == "sequential":
        return 0
    return max((need.largest for need in attack.needs(study.model_dump(mode="json")) if isinstance(need, ShadowModels)), default=0)


def _target(trial: Trial, store: Store) -> tuple[Node, Node]:
    """The data and the model of a trial, planned aside."""
    graph = Graph()
    kind = importlib.import_module(f"pipelines.dags.{trial.study.kind.replace('-', '_')}")
    planned = kind.trial_graph(graph, trial.study, trial.seed, trial.arm, import_models(graph, [trial.study], store))
    return planned.data, planned.model


def _measured(question: Question, device: str) -> dict[str, Any]:
    """In a process of its own: this one holds no device and need not import torch."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        found: dict[str, Any] = pool.submit(_measure, question.module, *question.arguments, device).result()
        return found


def _measure(module: str, *arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = importlib.import_module(module).measure_layout(*arguments)
    return found


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
