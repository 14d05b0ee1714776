"""Models: what is trained, and how a study names it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from tasks.core.component import Component, Family, OneOf
from tasks.core.errors import UserError
from tasks.text.tokenizer import TOKENIZERS, Tokenizer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.text.tokenizer import TextEncoder


class ModelError(UserError):
    """A model that cannot be built or loaded; the message is the one line a person needs."""


@dataclass(frozen=True)
class TaskShape:
    """What a model must answer: the task, the declared labels and slot tags."""

    task: str
    labels: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Started:
    """A model ready to be trained: the block that describes it for good, its encoder and its network."""

    model: Architecture
    encoder: TextEncoder
    network: nn.Module


@runtime_checkable
class Relaxable(Protocol):
    """A network that answers to any vectors in the place of those of tokens: ``answers(vectors(ids), mask, positions)`` is what it answers to ids."""

    def vectors(self, input_ids: Tensor) -> Tensor:
        """(B, L, D) of ids (B, L): what depends on the token alone, not on its place."""

    def answers(self, vectors: Tensor, attention_mask: Tensor, position_ids: Tensor) -> dict[str, Tensor]:
        """Logits by name."""


def default_tokenizer(kind: str) -> Tokenizer:
    """The tokenizer of a model block that names none."""
    found = TOKENIZERS.parse({"kind": kind})
    assert isinstance(found, Tokenizer)
    return found


class Model(Component, ABC):
    """Base of every model block.

    A network maps ``input_ids`` (B, L) long, ``attention_mask`` (B, L) bool and ``position_ids`` (B, L) long to a dict of
    logits, as the task asks: ``intent`` (B, C), ``slots`` (B, L, S), ``span`` (B, L, 2), ``lm`` (B, L, V); one that writes takes ``target_ids``
    (B, T) too and gives ``seq2seq`` (B, T, V). All but a bag of words and those that write are ``Relaxable``.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    needs_base: ClassVar[bool] = False

    tokenizer: Annotated[Tokenizer, OneOf(TOKENIZERS)] = Field(default_factory=lambda: default_tokenizer("hashing"), description="How text becomes ids.")

    @abstractmethod
    def start(self, shape: TaskShape, inputs: Mapping[str, Path], seed: int) -> Started:
        """The model to train. ``inputs`` may hold a fitted ``tokenizer`` and a ``base`` model artifact. Raises ModelError."""


class Architecture(Model, ABC):
    """Base of the blocks that describe a network."""

    transformer: ClassVar[bool] = False
    tied_weights: ClassVar[bool] = False
    """Whether two layers share a weight, whatever the settings."""

    @abstractmethod
    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network with its first weights, which follow from the seed."""

    def start(self, shape: TaskShape, inputs: Mapping[str, Path], seed: int) -> Started:
        """A new network. Raises ModelError where the task is not served."""
        if shape.task not in self.tasks:
            raise ModelError(f"model '{self.kind}' does not serve task '{shape.task}'; it serves {', '.join(self.tasks)}")
        encoder = self.tokenizer.build(inputs.get("tokenizer"))
        return Started(self, encoder, self.build(shape, encoder, seed))

    def with_new_answers(self) -> Architecture:
        """The block of the same body with other answers: itself, unless it says to keep the published ones."""
        return self

    def checkpoint_activations(self, network: nn.Module) -> None:
        """Make the network run its blocks again in the backward pass instead of keeping what they computed. Raises ModelError where it cannot."""
        body: Any = getattr(network, "body", None)
        if not getattr(body, "supports_gradient_checkpointing", False):
            raise ModelError(f"training.activation_checkpointing: model '{self.kind}' has no blocks that can be run again: leave it out")
        body.activation_checkpointing_enable({"use_reentrant": False})
        body.disable_input_require_grads()  # what the older form needs; here it would send a gradient to embeddings that are not trained

    def open_up(self, network: nn.Module) -> None:
        """Make the network compute with layers that per-example gradients can be read from; its answers stay the same."""

    def save_extra(self, network: nn.Module, folder: Path) -> None:
        """Write what ``rebuild`` needs beside the weights."""

    def rebuild(self, shape: TaskShape, encoder: TextEncoder, folder: Path, seed: int = 0) -> nn.Module:
        """The network without its weights, from a saved artifact's folder. What is new in the shape follows from the seed."""
        return self.build(shape, encoder, seed)


MODELS = Family("model", "tasks.models.architectures", Model)


def architecture_of(kind: object) -> type[Architecture] | None:
    """The block that describes a network of that kind; None for a kind that is none, or whose network is not known before it is loaded."""
    member = MODELS.members().get(str(kind))
    return member if member is not None and issubclass(member, Architecture) else None


LOADED = ("pretrained", "mlflow")
"""Kinds of model that have weights before any training."""
