"""A published or recorded model as it is, as a model artifact: nothing is trained. Of a recorded one the facts stay: its guarantee, who was in its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.fingerprint import digest
from tasks.core.step import StepRun
from tasks.models._pretrained import ANSWER, own_labels
from tasks.models.ability import ABILITY_OF_TASK
from tasks.models.artifact import open_model, read_facts, save_model
from tasks.models.finding import artifact_in
from tasks.models.model import Model, ModelError, Started, TaskShape

READ_AS = {"encoder": "encoder", "masked-lm": "mlm", "causal-lm": "lm", "classifier": "intent", "tagger": "tagging"}
"""Task of a network by what it is read as; an encoder has states and no answers."""
HEADS = {
    "ForMaskedLM": "masked-lm",
    "ForPreTraining": "masked-lm",
    "LMHeadModel": "causal-lm",
    "ForCausalLM": "causal-lm",
    "ForSequenceClassification": "classifier",
    "ForTokenClassification": "tagger",
}


def write_loaded(model: Model, read_as: str, inputs: Mapping[str, Path], run: StepRun) -> None:
    """Write the artifact. Raises ModelError where the model cannot be read as asked."""
    run.report.progress(0, 1, "loading")
    recorded = inputs.get("base") or artifact_in(Path(model.source).expanduser())  # type: ignore[attr-defined]
    if recorded is not None:
        started, shape = _recorded(recorded, read_as)
        privacy, told = read_facts(recorded / "privacy.json"), read_facts(recorded / "data.json")
        data = {**_facts(shape, str(told.get("digest", "unknown"))), **told}
    else:
        started, shape = _published(model, read_as, inputs)
        privacy, data = {"guarantee": "none"}, _facts(shape, str(model.content_digest()))
    save_model(run.folder, started, shape, privacy, data)


def _recorded(artifact: Path, read_as: str) -> tuple[Started, TaskShape]:
    """The model of an artifact, as it is."""
    loaded = open_model(artifact)
    if read_as not in ("auto", *ABILITY_OF_TASK.get(loaded.shape.task, ()), *(("tagger",) if loaded.shape.slots else ())):
        raise ModelError(f"the recorded model was trained for task '{loaded.shape.task}': it has no trained answers as {read_as}")
    return Started(loaded.model, loaded.encoder, loaded.network), loaded.shape


def _published(model: Any, read_as: str, inputs: Mapping[str, Path]) -> tuple[Started, TaskShape]:
    """The network of a published model, with its own answers."""
    config = _configuration(model)
    published = _published_as(config)
    if read_as not in ("auto", "encoder", published):
        raise ModelError(f"model {model.source} was published as {published}: it has no trained answers as {read_as}")
    task = READ_AS[published if read_as == "auto" else read_as]
    own = own_labels(config) if task in ANSWER else ()
    shape = TaskShape(task, labels=own if task == "intent" else (), slots=own if task == "tagging" else ())
    block = model.model_copy(update={"answers": "own"}) if own else model
    encoder = block.tokenizer.build(inputs.get("tokenizer"))
    return Started(block, encoder, block.build(shape, encoder, 0)), shape


def _configuration(model: Any) -> Any:
    """What a published model says of itself. Raises ModelError where it cannot be read."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model.source, revision=model.revision, trust_remote_code=False)
    except Exception as error:
        raise ModelError(f"model {model.source}: {str(error).strip().splitlines()[0][:200]}") from error


def _published_as(config: Any) -> str:
    """What a published model was trained as. One that answers with numbers, or with many labels at once, has states alone."""
    names = [str(name) for name in config.architectures or ()]
    found = next((read_as for name in names for ending, read_as in HEADS.items() if name.endswith(ending)), "encoder")
    return "encoder" if READ_AS[found] in ANSWER and not own_labels(config) else found


def _facts(shape: TaskShape, content: str) -> dict[str, Any]:
    """The facts of no data: what a published model was trained on is not known here."""
    answers: dict[str, Any] = {"labels": list(shape.labels), "slots": list(shape.slots)}
    nothing: dict[str, Any] = {"counts": {}, "groups": {}, "users": {}, "columns": [], "split_digests": {}, "source": {}}
    said = {"kind": "not known here", "task": shape.task, "digest": digest(["loaded", content]), "public_size": None, "attack_holdout": 0, "population": None}
    return {**said, **answers, **nothing, "private": False, "nonmembers": 0, "duplicates_removed": 0}
