"""What is trained of a published model: its biases, its last blocks, or adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.models.architectures.pretrained import Pretrained
from tasks.models.model import ModelError
from tests.models.samples import JOINT, publish, start

HEADS = {"heads.intent.weight", "heads.intent.bias", "heads.slots.weight", "heads.slots.bias"}
LAYER = {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm"}
DENSE = {"intermediate.dense", "output.dense", "output.LayerNorm"}


def trained(name: str, folder: Path) -> set[str]:
    return {key for key, value in start(name, folder)[0].network.named_parameters() if value.requires_grad}


def test_bitfit_trains_biases_and_answers(tmp_path: Path) -> None:
    layers = {f"body.encoder.layer.{number}.{part}.bias" for number in (0, 1) for part in LAYER | DENSE}
    assert trained("bitfit", tmp_path) == HEADS | layers | {"body.embeddings.LayerNorm.bias", "body.pooler.dense.bias"}


def test_of_a_language_model_bitfit_trains_biases_alone(tmp_path: Path) -> None:
    found = trained("bitfit-lm", tmp_path)
    assert all(name.endswith(".bias") for name in found) and "body.transformer.ln_f.bias" in found
    assert len(found) == 2 * 6 + 1  # of each block two norms, two maps of the attention and two of the network behind it; and the last norm


def test_the_last_blocks_are_trained_and_what_comes_after_them(tmp_path: Path) -> None:
    last = {f"body.encoder.layer.1.{part}.{kind}" for part in LAYER | DENSE for kind in ("weight", "bias")}
    assert trained("last-layers", tmp_path) == HEADS | last | {"body.pooler.dense.weight", "body.pooler.dense.bias"}


@pytest.mark.parametrize(("layers", "message"), [(3, "the model has 2 blocks, and the last 3 are to be trained")])
def test_more_blocks_than_there_are_is_told(layers: int, message: str, tmp_path: Path) -> None:
    block = {"kind": "pretrained", "source": str(publish(tmp_path / "p", JOINT)), "adapter": {"kind": "last-layers", "layers": layers}}
    with pytest.raises(ModelError, match=message):
        Pretrained.model_validate(block).start(JOINT, {}, 0)
