"""Networks of every architecture under every engine, and per-example gradients written out by hand."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tasks.core.rules import Facts, check
from tasks.models.model import Started, TaskShape
from tasks.privacy.clip_rule import CLIP_RULES, ClipRule
from tasks.privacy.engine import ENGINES, Clipper, Engine, Piece
from tasks.privacy.network import network_facts
from tasks.privacy.rules import RULES
from tests.models import samples

LENGTHS = [7, 1, 4, 7, 2]
TAKEN = ("input_ids", "attention_mask", "position_ids", "target_ids")
ENGINE_KINDS = sorted(ENGINES.members())
REFUSED = {(name, "vmap") for name, (block, _) in samples.BLOCKS.items() if block["kind"] not in ("linear", "bilstm")} | {
    ("gpt2", "opacus-ghost"),
    ("published-lm", "opacus-ghost"),
    ("bart", "opacus-ghost"),
}
"""What the rules must refuse, and no more."""
ACCEPTED = [(name, kind) for name in samples.BLOCKS for kind in ENGINE_KINDS if (name, kind) not in REFUSED]


def opened(name: str, folder: Path, dropout: bool = False) -> tuple[Started, TaskShape]:
    """A started model as a private training has it, with dropout or without."""
    started, shape = samples.start(name, folder)
    for module in started.network.modules():
        if isinstance(module, nn.Dropout) and not dropout:
            module.p = 0.0
    started.model.open_up(started.network)
    started.network.train()
    return started, shape


def examples(started: Started, shape: TaskShape, lengths: list[int]) -> dict[str, Tensor]:
    """A batch with padding, labels and tags, as the shape asks."""
    found = samples.inputs(lengths, started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    if shape.labels:
        found["labels"] = torch.arange(len(lengths)) % len(shape.labels)
    if shape.slots:
        found["slots"] = (found["input_ids"] % len(shape.slots)).masked_fill(~found["attention_mask"], -100)
    if shape.task == "qa":
        found["choices"] = found["attention_mask"]
        found["starts"] = torch.zeros(len(lengths), dtype=torch.long)
        found["ends"] = torch.tensor(lengths) - 1
    if shape.task == "seq2seq":
        found["target_ids"] = found["input_ids"].flip(0).masked_fill(~found["attention_mask"].flip(0), -100)
    return found


def picked(batch: dict[str, Tensor], chosen: slice) -> dict[str, Tensor]:
    """Some of the examples."""
    return {name: value[chosen] for name, value in batch.items()}


def flat(norm: float) -> ClipRule:
    """Flat clipping at a norm."""
    found = CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": norm})
    assert isinstance(found, ClipRule)
    return found


@contextmanager
def attached(kind: str, network: nn.Module, rule: ClipRule) -> Iterator[Clipper]:
    """An engine on a network, and taken away again."""
    engine = ENGINES.parse({"kind": kind, **({"layer_scales": "none"} if kind == "micro-batch" else {})})
    assert isinstance(engine, Engine)
    clipper = engine.clipper(network, rule)
    try:
        yield clipper
    finally:
        clipper.close()


def clipped(kind: str, network: nn.Module, batch: dict[str, Tensor], rule: ClipRule) -> tuple[dict[str, Tensor], Piece]:
    """Clipped sums of a batch, and what the piece says."""
    with attached(kind, network, rule) as clipper:
        sums = clipper.zeros()
        return sums, clipper.add(batch, sums)


def size(sums: dict[str, Tensor]) -> float:
    """L2 norm over all weights, in float64."""
    return float(torch.stack([value.double().norm() for value in sums.values()]).norm())


def excess(kind: str, network: nn.Module, batch: dict[str, Tensor], rule: ClipRule) -> float:
    """By which share the largest contribution of a single example is above the clip norm; below it, negative."""
    with attached(kind, network, rule) as clipper:
        found = []
        for index in range(len(batch["input_ids"])):
            sums = clipper.zeros()
            clipper.add(picked(batch, slice(index, index + 1)), sums)
            found.append(size(sums) / rule.sensitivity - 1)
    return max(found)


def refusals(started: Started, kind: str) -> set[str]:
    """The rules that refuse a network under an engine, at every stage that can tell."""
    privacy = {"kind": "dp-sgd", "clipping": {"engine": {"kind": kind}}}
    model = started.model.model_dump(mode="json")
    facts = Facts({"privacy": privacy, "model": model, "data": {"public_size": 1}, "facts": network_facts(started.network, {})})
    found = [finding.rule for stage in ("spec", "network") for finding in check(RULES, facts, stage)]
    return {rule.id for rule in found if rule.verdict == "refuse"}


def by_hand(network: nn.Module, batch: dict[str, Tensor], norm: float) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Sums, losses and norms in float64: one example after the other, a loss written out, scaled to the norm where longer."""
    twin = copy.deepcopy(network).double()
    trained = {name: value for name, value in twin.named_parameters() if value.requires_grad}
    sums = {name: torch.zeros_like(value) for name, value in trained.items()}
    losses, norms = [], []
    for index in range(len(batch["input_ids"])):
        length = int(batch["attention_mask"][index].sum())
        single = {name: value[index : index + 1] if value.ndim == 1 else value[index : index + 1, :length] for name, value in batch.items()}
        if "target_ids" in batch:
            single["target_ids"] = batch["target_ids"][index : index + 1, : int((batch["target_ids"][index] >= 0).sum())]
        loss = loss_by_hand(twin(**{name: value for name, value in single.items() if name in TAKEN}), single)
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True) if loss.requires_grad else [None] * len(trained)
        gradients = {name: value for name, value in zip(trained, found, strict=True) if value is not None}
        longest = size(gradients) if gradients else 0.0
        for name, value in gradients.items():
            sums[name] += value * min(1.0, norm / max(longest, 1e-300))
        losses.append(loss.detach())
        norms.append(longest)
    return sums, torch.stack(losses), torch.tensor(norms)


def loss_by_hand(logits: Any, single: dict[str, Tensor]) -> Tensor:
    """The loss of one example without padding: -log p of its label, plus the mean of -log p of its tags, or of its next tokens."""
    loss = torch.zeros((), dtype=torch.float64)
    if "intent" in logits:
        loss = loss - logits["intent"][0].log_softmax(dim=-1)[single["labels"][0]]
    if "span" in logits:
        first, last = logits["span"][0].log_softmax(dim=0).unbind(dim=1)
        loss = loss - (first[single["starts"][0]] + last[single["ends"][0]]) / 2
    for name, shift, targets in (("slots", 0, single.get("slots")), ("lm", 1, single["input_ids"]), ("seq2seq", 0, single.get("target_ids"))):
        if name in logits and targets is not None and targets.shape[1] > shift:
            rows = logits[name][0, : targets.shape[1] - shift].log_softmax(dim=-1)
            loss = loss - rows.gather(1, targets[0, shift:].unsqueeze(1)).mean()
    return loss
