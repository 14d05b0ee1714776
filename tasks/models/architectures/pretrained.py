"""A published model, fine-tuned whole, in parts or through LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from tasks.core.component import unkeyed
from tasks.core.fingerprint import digest
from tasks.core.roots import check_source, is_path
from tasks.models.finding import artifact_in
from tasks.models.model import Architecture, TaskShape
from tasks.text.tokenizer import TOKENIZERS

if TYPE_CHECKING:
    from torch import nn

    from tasks.text.tokenizer import TextEncoder


RECORDED = ("config.json", "labels.json", "data.json", "privacy.json", "*.safetensors", "tokenizer/*", "body/*")
"""The files that a model artifact is."""


class NoAdapter(BaseModel):
    """Train the model's own weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none"]


class Lora(BaseModel):
    """Low-rank adapters (Hu et al., ICLR 2022); the model's own weights stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lora"]
    rank: int = Field(default=8, ge=1, le=1024, description="Rank of each adapter.")
    alpha: float = Field(default=16.0, gt=0, description="Scale; the adapter counts alpha / rank.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Before each adapter.")
    targets: tuple[str, ...] = Field(default=(), description="Names of the adapted modules; without any, all linear ones.")


class BitFit(BaseModel):
    """Train the biases alone, and the answer layers (Ben Zaken, Goldberg and Ravfogel, ACL 2022; under privacy Bu, Wang, Zha and Karypis, ICML 2024)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bitfit"]


class LastLayers(BaseModel):
    """Train the last blocks alone, what comes after them, and the answer layers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["last-layers"]
    layers: int = Field(default=1, ge=1, le=1000, description="How many blocks are trained, counted from the end.")


Adapter = Annotated[NoAdapter | Lora | BitFit | LastLayers, Field(discriminator="kind")]


class Pretrained(Architecture):
    """A Hugging Face model from a folder or a hub name. Only safetensors are read: other weight files can run code.

    A study that loads models as they are also takes the folder of a model artifact or of an export (`assay export`), whatever its architecture.
    """

    tasks: ClassVar[tuple[str, ...]] = ("intent", "joint", "tagging", "qa", "seq2seq", "lm", "mlm")
    transformer: ClassVar[bool] = True

    kind: Literal["pretrained"]
    source: str = unkeyed(description="Folder of a model, or a hub name such as distilbert-base-uncased.")
    revision: str = Field(default="main", description="Branch, tag or commit of a hub name.")
    answers: Literal["new", "own"] = Field(default="new", description="For labels or tags: new answers, or those of a published classifier or tagger.")
    adapter: Adapter = Field(default=NoAdapter(kind="none"), description="none, lora, bitfit or last-layers.")
    frozen: tuple[str, ...] = Field(default=(), description="Parts that stay as they are, e.g. embeddings; encoder.layer.0.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Before the answers.")

    @model_validator(mode="after")
    def _own_tokenizer(self) -> Pretrained:
        """Without a tokenizer of its own the block takes the model's."""
        if "tokenizer" not in self.model_fields_set:
            own = TOKENIZERS.parse({"kind": "pretrained", "source": self.source, "revision": self.revision})
            object.__setattr__(self, "tokenizer", own)  # frozen from here on, not before
        return self

    @model_validator(mode="after")
    def _own_weights(self, info: ValidationInfo) -> Pretrained:
        if (info.context or {}).get("saved"):  # a saved artifact needs its source no more
            return self
        folder = Path(self.source).expanduser()
        check_source(self.source, info)
        if folder.is_dir() and artifact_in(folder) is None and not any(folder.glob("*.safetensors")):
            raise ValueError(f"source {self.source}: no *.safetensors there; other weight files are not read, since they can run code")
        if not folder.is_dir() and is_path(self.source):
            raise ValueError(f"source: no such folder: {self.source}")
        return self

    def content_digest(self) -> str:
        """Digest of the model's files, or the hub's name and commit."""
        from tasks.text.hub import source_digest

        published = source_digest(self.source, self.revision, ("config.json", "*.safetensors"))
        recorded = artifact_in(Path(self.source).expanduser())
        return published if recorded is None else digest([published, source_digest(str(recorded), self.revision, RECORDED)])

    def with_new_answers(self) -> Pretrained:
        """The same without the published ones."""
        return self.model_copy(update={"answers": "new"})

    def build(self, shape: TaskShape, encoder: TextEncoder, seed: int) -> nn.Module:
        """The network with published weights and new answer layers."""
        from tasks.models._pretrained import pretrained_network

        return pretrained_network(self, shape, encoder, seed)

    def save_extra(self, network: nn.Module, folder: Path) -> None:
        """The body's configuration, so that the artifact needs its source no more."""
        from tasks.models._pretrained import save_body

        save_body(network, folder)

    def rebuild(self, shape: TaskShape, encoder: TextEncoder, folder: Path, seed: int = 0) -> nn.Module:
        """The network from the saved configuration."""
        from tasks.core.seeds import torch_seeded
        from tasks.models._pretrained import rebuilt_network

        with torch_seeded(seed, "initialise"):
            return rebuilt_network(self, shape, folder)
