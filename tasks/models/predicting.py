"""What a model says of a split, record by record: ids, labels and numbers, never text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tasks.core.step import StepRun
from tasks.data.prepared import PreparedData
from tasks.models.answers import answer_counts
from tasks.models.artifact import LoadedModel, load_model
from tasks.models.batches import LOGITS, Encoded, encode_split, network_inputs
from tasks.models.losses import choosable, next_token_nats, per_example_loss, target_nats

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256
ASKED = 1024
"""Examples at once where only losses are asked for, of many short texts."""
LONGEST = 30
CARRIED = ("user", "group")


@dataclass
class Answers:
    """Everything the network said, in the order of the examples."""

    loss: list[Tensor] = field(default_factory=list)
    intent: list[Tensor] = field(default_factory=list)
    tags: list[Tensor] = field(default_factory=list)
    nats: list[Tensor] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)
    spans: list[Tensor] = field(default_factory=list)


def write_predictions(split: str, model: Path, data: Path, run: StepRun) -> None:
    """Predict one split and write the folder. Raises KeyError where the data has no such split."""
    prepared = PreparedData(data)
    loaded = load_model(model, run.device)
    records = prepared.split(split)
    encoded = encode_split(records, loaded.encoder, loaded.shape)
    answers = _ask(loaded, encoded, run.device, run.physical_batch_size or BATCH, partial(run.report.progress, note="predicting"))
    table = _table(records, encoded, answers, loaded)
    table.to_parquet(run.folder / "predictions.parquet", index=False)
    if answers.intent:
        save_file({"intent": torch.cat(answers.intent).contiguous()}, str(run.folder / "logits.safetensors"))
    facts = {"split": split, "n": len(records), "data": prepared.facts["split_digests"][split], "task": loaded.shape.task}
    (run.folder / "predictions.json").write_text(json.dumps(facts, indent=1) + "\n")


def predictions(loaded: LoadedModel, records: pd.DataFrame, encoded: Encoded, device: str) -> pd.DataFrame:
    """What a network says of some records now: the table that metrics read. The network is left in evaluation mode."""
    loaded.network.eval()
    return _table(records, encoded, _ask(loaded, encoded, device, BATCH, _silent), loaded)


def total_losses(loaded: LoadedModel, encoded: Encoded, device: str, progress: Callable[[float, float], None]) -> Tensor:
    """(N,) float64: what a network loses on each example now; of a text to go on with, on all its tokens together. It is left in evaluation mode."""
    loaded.network.eval()
    answers = _ask(loaded, encoded, device, ASKED, progress)
    found: Tensor = (answers.loss or answers.nats)[0]
    return found.double()


def _silent(done: float, total: float) -> None:
    """Nobody watches."""


@torch.no_grad()
def _ask(loaded: LoadedModel, encoded: Encoded, device: str, size: int, progress: Callable[[float, float], None]) -> Answers:
    """Examples of like length together: less padding, the same answers."""
    order = torch.argsort(encoded.lengths, stable=True)
    if device == "cpu" and loaded.shape.task in ("lm", "mlm", "seq2seq") and len(order):
        places = int(encoded.lengths.max()) if encoded.written is None else encoded.written.shape[1]
        size = min(size, max(8, LOGITS // (places * loaded.encoder.vocabulary_size)))
    answers = Answers()
    for start in range(0, len(order), size):
        batch = encoded.batch(order[start : start + size], device)
        logits = loaded.network(**network_inputs(batch))
        if "intent" in logits or "slots" in logits or "span" in logits:
            answers.loss.append(_exact_loss(logits, batch))
        if "intent" in logits:
            answers.intent.append(logits["intent"].float().cpu())
        if "slots" in logits:
            tags = logits["slots"].argmax(dim=-1).cpu()
            answers.tags.append(torch.nn.functional.pad(tags, (0, encoded.ids.shape[1] - tags.shape[1])))
        if "span" in logits:
            answers.spans.append(likeliest(choosable(logits["span"], batch)).cpu())
        if "lm" in logits or "mlm" in logits or "seq2seq" in logits:
            nats, tokens = _nats(logits, batch)
            answers.nats.append(nats.cpu())
            answers.tokens.append(tokens.cpu())
        progress(start + len(batch["input_ids"]), len(order))
    back = torch.argsort(order, stable=True)
    return Answers(*([torch.cat(parts)[back]] if parts else [] for parts in vars(answers).values()))


def _nats(logits: dict[str, Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    if "lm" in logits:
        return next_token_nats(logits["lm"], batch)
    return target_nats(logits["mlm"], batch["targets"]) if "mlm" in logits else target_nats(logits["seq2seq"], batch["target_ids"])


def likeliest(scores: Tensor) -> Tensor:
    """(B, 2) the first and the last token of the likeliest answer of at most 30 tokens (as Devlin et al., NAACL 2019) by scores (B, L, 2) of where it begins
    and ends; the first token of a sequence begins none.
    """
    first, last = scores[:, 1:].unbind(dim=-1)
    rows, places = first.shape
    both = torch.full((rows, min(LONGEST, places), places), -torch.inf, device=scores.device)
    for more in range(both.shape[1]):
        both[:, more, : places - more] = first[:, : places - more] + last[:, more:]
    best = both.flatten(1).argmax(dim=1)
    begin = best % places
    return torch.stack([begin, begin + best // places], dim=1) + 1


def _exact_loss(logits: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
    """(B,) float64 losses, on the processor: in float32 every answer that is sure enough loses exactly nothing, and attacks could not tell them apart."""
    exact = {name: value.cpu().double() for name, value in logits.items() if name in ("intent", "slots", "span")}
    return per_example_loss(exact, {name: batch[name].cpu() for name in ("labels", "slots", "starts", "ends", "choices") if name in batch})


def _table(records: pd.DataFrame, encoded: Encoded, answers: Answers, loaded: LoadedModel) -> pd.DataFrame:
    found = records[["id", *(column for column in CARRIED if column in records)]].copy()
    if answers.nats:
        return _text_table(found, records, encoded, answers)
    found["loss"] = answers.loss[0].numpy()
    if answers.intent:
        probabilities = answers.intent[0].softmax(dim=-1)
        confidence, predicted = probabilities.max(dim=-1)
        found["label"] = records["label"].to_numpy()
        found["predicted"] = [loaded.shape.labels[index] for index in predicted.tolist()]
        found["confidence"] = confidence.numpy()
    if answers.spans and encoded.spans is not None:
        found = found.join(answer_counts(records, encoded.spans, answers.spans[0]))
    if answers.tags and encoded.words is not None:
        found["slots"] = records["slots"].map(list).to_numpy()
        found["predicted_slots"] = _word_tags(records["slots"].tolist(), encoded.words, answers.tags[0], loaded.shape.slots)
    return found


def _text_table(found: pd.DataFrame, records: pd.DataFrame, encoded: Encoded, answers: Answers) -> pd.DataFrame:
    """Sums over the windows of each record."""
    for name, values in (("nats", answers.nats[0]), ("tokens", answers.tokens[0])):
        sums = torch.zeros(len(records), dtype=torch.float64).index_add(0, encoded.records, values.double())
        found[name] = sums.numpy()
    found["bytes"] = records["text" if encoded.written is None else "target"].map(lambda text: len(text.encode())).to_numpy()
    found["loss"] = found["nats"] / found["tokens"].clip(lower=1)
    return found


def _word_tags(sentences: list[Any], words: Tensor, tags: Tensor, declared: tuple[str, ...]) -> list[list[str]]:
    """A tag per word; a word that was cut off counts as O."""
    predicted = []
    for row, sentence in enumerate(sentences):
        answer = ["O"] * len(sentence)
        for place in (words[row] >= 0).nonzero().squeeze(1).tolist():
            answer[int(words[row, place])] = declared[int(tags[row, place])]
        predicted.append(answer)
    return predicted
