"""The shipped fine-tuning study, on a real published encoder and fewer records: frozen, and adapted by LoRA, both under privacy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from pipelines.planning import make_plan
from specs.loading import load_mapping
from tests.pipelines import inline

SHIPPED = Path(__file__).resolve().parents[2] / "specs" / "dp_training" / "finetune.yaml"


@pytest.fixture
def study(published_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The study as shipped, with another source and a few short trainings."""
    inline.at(tmp_path, monkeypatch)
    values: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    values["data"] = {"kind": "synthetic-assistant", "task": "intent", "examples": 200, "public_size": 160}
    values["model"] |= {"source": str(published_encoder), "tokenizer": {"kind": "pretrained", "source": str(published_encoder), "max_tokens": 16}}
    values["training"] |= {"epochs": 1, "expected_batch_size": 40}
    values["privacy"] |= {"accountant": "rdp"}  # quick to calibrate
    values["attacks"] = values["fairness"] = []
    values["sweep"]["arms"] = {name: arm for name, arm in values["sweep"]["arms"].items() if name in ("frozen", "lora")}
    return values


@pytest.mark.slow
def test_frozen_and_adapted_encoders_train_under_privacy(study: dict[str, Any], published_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = inline.run(study, monkeypatch)
    assert not outcome.failed and set(outcome.comparison.arms) == {"frozen", "lora"}
    assert all(value["privacy/epsilon"].value <= study["privacy"]["target_epsilon"] for value in outcome.comparison.arms.values())
    published = load_file(published_encoder / "model.safetensors")["encoder.layer.0.attention.self.query.weight"]
    plan = make_plan(load_mapping(study))
    for planned in plan.trials:
        folder = plan.store.open(planned.graph.model.key)
        weights = load_file(folder / "model.safetensors")
        base = next(
            value
            for name, value in weights.items()
            if name.endswith("encoder.layer.0.attention.self.query.weight") or "layer.0.attention.self.query.base_layer.weight" in name
        )
        assert base.equal(published)  # neither noise nor gradient reached it
        assert json.loads((folder / "privacy.json").read_text())["guarantee"].startswith("simulated: example-level (")
