"""The models and batches of ``dp_step.py``, and one whole training step of each engine on them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from opacus.layers import DPLSTM
from torch import Tensor, nn

from tasks.models.batches import Encoded
from tasks.models.model import MODELS, Started, TaskShape
from tasks.privacy.clip_rule import CLIP_RULES
from tasks.privacy.engine import ENGINES
from tasks.training.gradients import MeanGradient
from tasks.training.optimizer import OPTIMIZERS
from tasks.training.private_gradient import PrivateGradient

STEPS = 10_000
MICRO_BATCHES = 4
UNTIED, DPLSTM_HOOKS = "opacus-ghost, untied", "Opacus DPLSTM"
"""Peers that take another network: GPT-2 with a head of its own, and Opacus's LSTM."""


@dataclass(frozen=True)
class Case:
    """A model, its task, and the shape of its batch; the engines to try, and for each the most time and memory, in those of plain training."""

    name: str
    block: dict[str, Any]
    shape: TaskShape
    batch: int
    length: int
    engines: tuple[str, ...]
    targets: dict[str, tuple[float | None, float | None]]
    precision: str = "fp32"

    def resized(self, batch: int, length: int, vocabulary: int) -> Case:
        """The same model on another batch, with another vocabulary."""
        tokenizer = {"kind": "hashing", "buckets": vocabulary, "max_tokens": length}
        return replace(self, name=f"{batch} x {length}, {vocabulary}", block={**self.block, "tokenizer": tokenizer}, batch=batch, length=length)


INTENTS = TaskShape("intent", tuple(map(str, range(150))))
HASHING = {"kind": "hashing", "buckets": 8192, "max_tokens": 64}
BYTES = {"kind": "bytes", "max_tokens": 128}
BERT = Case(
    "bert 4x256",
    {"kind": "bert", "layers": 4, "hidden_size": 256, "heads": 4, "tokenizer": HASHING},
    INTENTS,
    32,
    64,
    ("loop", "opacus-hooks", "opacus-ghost", "micro-batch", "book-keeping"),
    {"book-keeping": (1.35, 1.3), "opacus-hooks": (3.2, None), "opacus-ghost": (2.2, None)},
)
GPT2 = Case(
    "gpt2 4x256, tied",
    {"kind": "gpt2", "layers": 4, "hidden_size": 256, "heads": 4, "tokenizer": BYTES},
    TaskShape("lm"),
    16,
    128,
    ("loop", "opacus-hooks", UNTIED, "micro-batch", "book-keeping"),
    {"book-keeping": (1.35, 1.3)},
)
BILSTM = Case(
    "bilstm 128",
    {"kind": "bilstm", "hidden_size": 128, "tokenizer": HASHING},
    INTENTS,
    64,
    16,
    ("loop", "vmap", "opacus-hooks", "opacus-ghost", DPLSTM_HOOKS, "micro-batch", "book-keeping"),
    {"book-keeping": (2.0, 1.5)},
)
ON_GPU = (
    Case(
        "bert-base",
        {"kind": "bert", "layers": 12, "hidden_size": 768, "heads": 12, "tokenizer": {**HASHING, "buckets": 30_000}},
        INTENTS,
        64,
        64,
        ("opacus-hooks", "micro-batch", "book-keeping"),
        {"book-keeping": (1.15, 1.10)},
        "bf16",
    ),
    Case(
        "gpt2 12x768, tied",
        {"kind": "gpt2", "layers": 12, "hidden_size": 768, "heads": 12, "tokenizer": BYTES},
        TaskShape("lm"),
        64,
        128,
        ("opacus-hooks", "micro-batch", "book-keeping"),
        {"book-keeping": (1.15, 1.10)},
        "bf16",
    ),
)


@dataclass
class Stepper:
    """A network with one way to take a step; ``engine`` None is plain training."""

    case: Case
    engine: str | None
    device: str

    def __post_init__(self) -> None:
        model: Any = MODELS.parse(self.case.block)
        started: Started = model.start(self.case.shape, {}, 0)
        network = _peer(started.network, self.engine).to(self.device).train()
        self.network, self.encoded = network, examples(self.case, started)
        self.optimizer = OPTIMIZERS.parse({"kind": "adamw", "learning_rate": 1e-4}).build(network.parameters())  # type: ignore[attr-defined]
        self.gradient = self._gradient(model, network)

    def _gradient(self, model: Any, network: nn.Module) -> Callable[..., Tensor | None]:
        batch, precision = self.case.batch, self.case.precision
        if self.engine is None:
            return MeanGradient(self.encoded, self.device, precision, 0, None)
        fields = {"micro_batches": MICRO_BATCHES} if self.engine == "micro-batch" else {}
        kind = {UNTIED: "opacus-ghost", DPLSTM_HOOKS: "opacus-hooks"}.get(self.engine, self.engine)
        engine: Any = ENGINES.parse({"kind": kind, **fields})
        if engine.looks_inside and self.engine != DPLSTM_HOOKS:
            model.open_up(network)
        clipper = engine.clipper(network, CLIP_RULES.parse({"kind": "flat"}))
        sharing = engine.sharing(self.encoded.records, batch, 0)
        return PrivateGradient(self.encoded, clipper, (1.0,) * STEPS, engine.contributions(batch), 0, batch, self.device, precision, True, sharing)

    def __call__(self, number: int) -> None:
        """One whole step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.gradient(self.network, torch.arange(self.case.batch), number)
        self.optimizer.step()
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    @property
    def standing_bytes(self) -> int:
        """Of the optimizer's state, which every way of training has."""
        return sum(value.nbytes for state in self.optimizer.state.values() for value in state.values() if isinstance(value, Tensor))


def examples(case: Case, started: Started) -> Encoded:
    """One batch of random ids."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, started.encoder.vocabulary_size, (case.batch, case.length), generator=generator)
    labels = torch.randint(150, (case.batch,), generator=generator) if case.shape.labels else None
    return Encoded(ids, torch.full((case.batch,), case.length), started.encoder.pad_id, torch.arange(case.batch), labels)


class _OpacusLstm(nn.Module):
    """A BiLSTM for intents on Opacus's LSTM, as large as ours."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        width, hidden = ours.embedding.embedding_dim, ours.layers[0].forwards.hh.in_features
        self.embedding = copy.deepcopy(ours.embedding)
        self.lstm = DPLSTM(width, hidden, batch_first=True, bidirectional=True)
        self.intent = copy.deepcopy(ours.intent)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Logits ``intent`` (B, C)."""
        return {"intent": self.intent(self.lstm(self.embedding(input_ids))[0].amax(dim=1))}


def _peer(network: nn.Module, engine: str | None) -> nn.Module:
    """The network, or the one that a peer takes."""
    if engine == DPLSTM_HOOKS:
        return _OpacusLstm(network)
    if engine == UNTIED:
        head: Any = network.get_submodule("body.lm_head")
        head.weight = nn.Parameter(head.weight.detach().clone())
    return network
