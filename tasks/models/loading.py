"""A published or recorded model as it is, as a model artifact: nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.fingerprint import digest
from tasks.core.step import StepRun
from tasks.models.artifact import load_model, save_model
from tasks.models.model import Architecture, Model, ModelError, Started, TaskShape

READ_AS = {"encoder": "encoder", "masked-lm": "mlm", "causal-lm": "lm"}
"""Task of a network by what it is read as; an encoder has states and no answers."""
HEADS = (("ForMaskedLM", "masked-lm"), ("LMHeadModel", "causal-lm"), ("ForCausalLM", "causal-lm"), ("ForPreTraining", "masked-lm"))


def write_loaded(model: Model, read_as: str, inputs: Mapping[str, Path], run: StepRun) -> None:
    """Write the artifact. Raises ModelError where the model cannot be read as asked."""
    run.report.progress(0, 1, "loading")
    if "base" in inputs:
        loaded = load_model(inputs["base"], "cpu")
        started, shape = Started(loaded.model, loaded.encoder, loaded.network), loaded.shape
        privacy = json.loads((inputs["base"] / "privacy.json").read_text())
        told = json.loads((inputs["base"] / "data.json").read_text())
        data = {**_facts(shape.task, str(told.get("digest", "unknown"))), "members": told.get("members", [])}
    else:
        assert isinstance(model, Architecture)
        published = _published_as(model)
        if read_as not in ("auto", "encoder", published):
            raise ModelError(f"model {model.source} was published as {published}: it has no trained answers as {read_as}")  # type: ignore[attr-defined]
        shape = TaskShape(READ_AS[published if read_as == "auto" else read_as])
        encoder = model.tokenizer.build(inputs.get("tokenizer"))
        started = Started(model, encoder, model.build(shape, encoder, 0))
        privacy, data = {"guarantee": "none"}, _facts(shape.task, str(model.content_digest()))
    save_model(run.folder, started, shape, privacy, data)


def _published_as(model: Any) -> str:
    """What a published model's own configuration says it was trained as. Raises ModelError where it cannot be read."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model.source, revision=model.revision, trust_remote_code=False)
    except Exception as error:
        raise ModelError(f"model {model.source}: {str(error).strip().splitlines()[0][:200]}") from error
    names = [str(name) for name in config.architectures or ()]
    return next((ability for name in names for ending, ability in HEADS if name.endswith(ending)), "encoder")


def _facts(task: str, content: str) -> dict[str, Any]:
    """The facts of no data: what it was trained on is not known here."""
    nothing: dict[str, Any] = {"labels": [], "slots": [], "counts": {}, "groups": {}, "users": {}, "columns": [], "split_digests": {}, "source": {}}
    said = {"kind": "not known here", "task": task, "digest": digest(["loaded", content]), "public_size": None, "attack_holdout": 0, "population": None}
    return {**said, **nothing, "private": False, "nonmembers": 0, "duplicates_removed": 0}
