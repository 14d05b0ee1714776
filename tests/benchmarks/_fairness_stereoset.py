"""StereoSet's 4,229 items on a model of 6 layers of 256: under three minutes on two cores."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.core.places import data_folder
from tasks.data._stereotype_items import StereoItem
from tasks.fairness.metrics.stereoset import StereoSet
from tasks.models.artifact import save_model
from tasks.models.model import MODELS, Started, TaskShape
from tasks.models.probing import Probe
from tasks.text._huggingface import FastEncoder, fit

SECONDS = 180.0
WITHIN, BETWEEN = 2106, 2123
VOCABULARY = 8192
SIZE = {"layers": 6, "hidden_size": 256, "heads": 4}
TOKENIZER = {"kind": "trained", "vocabulary": VOCABULARY, "max_tokens": 128, "corpus": {"kind": "synthetic-assistant"}}


def items(form: str) -> list[Any]:
    """The published items of a form where ASSAY_DATA names their folder, else invented ones, as many."""
    if os.environ.get("ASSAY_DATA") and (data_folder() / "stereoset").is_dir():
        return StereoSet.model_validate({"kind": "stereoset", "form": form}).load()
    within, found = form == "intrasentence", []
    for number in range(WITHIN if within else BETWEEN):
        words = [f"w{(number * 7 + place * 13) % 997}" for place in range(9)]
        context = " ".join([*words[:6], "BLANK" if within else words[6], "then."])
        texts = [context.replace("BLANK", word) if within else " ".join([*words[2:], f"{word}."]) for word in ("skinny", "hungry", "floating")]
        found.append(StereoItem(str(number), "gender", f"t{number % 79}", context, form.split("-")[0], *texts))
    return found


def probe(kind: str, task: str, texts: list[str], folder: Path) -> Probe:
    """A model with random weights and a tokenizer fitted to the items."""
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir(parents=True)
    FastEncoder(fit(texts, VOCABULARY), TOKENIZER["max_tokens"]).save(tokenizer)  # type: ignore[arg-type]
    model: Any = MODELS.parse({"kind": kind, **SIZE, "tokenizer": TOKENIZER})
    started: Started = model.start(TaskShape(task), {"tokenizer": tokenizer}, 0)
    artifact = folder / "model"
    artifact.mkdir()
    save_model(artifact, started, TaskShape(task), {}, {})
    return Probe.open(artifact)


def seconds(opened: Probe, form: str, chosen: list[Any]) -> float:
    """Of all rows with their intervals."""
    metric = StereoSet.model_validate({"kind": "stereoset", "form": form})
    begun = time.perf_counter()
    measures = metric.scored(chosen, opened, 0)
    assert measures.rows[0].status == "ok" and measures.rows[0].n == len(chosen)
    return time.perf_counter() - begun


def stereoset() -> Iterator[dict[str, Any]]:
    """Seconds of the masked form (the items within sentences) and of the causal forms (all items)."""
    within, between = items("intrasentence"), items("intersentence-generative")
    texts = [text for item in (*within, *between) for text in (item.context, item.stereotype, item.anti_stereotype, item.unrelated)]
    with TemporaryDirectory() as folder:
        masked = seconds(probe("bert", "mlm", texts, Path(folder) / "bert"), "intrasentence", within)
        causal = probe("gpt2", "lm", texts, Path(folder) / "gpt2")
        alone = seconds(causal, "intrasentence", within)
        both = alone + seconds(causal, "intersentence-generative", between)
    for name, value in ((f"masked, {len(within)} items", masked), (f"causal, {len(within) + len(between)} items", both)):
        yield {"name": f"stereoset 6x256 {name}", "value": round(value, 3), "unit": "s", "target": SECONDS, "met": value <= SECONDS}
