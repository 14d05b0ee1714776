"""What every architecture must keep: padding and company change nothing, weights follow from the seed, what is saved is what was trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasks.models.artifact import load_model, save_model
from tasks.models.batches import encode_split, network_inputs
from tasks.models.losses import per_example_loss
from tasks.models.model import MODELS, ModelError, TaskShape
from tests.models.samples import BLOCKS, JOINT, LM, block, farthest, inputs, start
from tests.text.corpus import PLAIN

NAMES = sorted(BLOCKS)


def shown(logits: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
    """Logits where there is a token."""
    return {name: value if name == "intent" else value * mask.unsqueeze(-1) for name, value in logits.items()}


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_other_examples_change_nothing(name: str, tmp_path: Path) -> None:
    """In float64 to 1e-9: each example alone, and with more padding filled with other ids, answers the same."""
    started, _ = start(name, tmp_path)
    network = started.network.double().eval()
    lengths = [6, 1, 4]
    found = inputs(lengths, started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    whole = shown(network(**found), found["attention_mask"])
    more = inputs(lengths, started.encoder.vocabulary_size, extra=4, pad=5)
    more["input_ids"][:, :6] = torch.where(found["attention_mask"], found["input_ids"], more["input_ids"][:, :6])
    padded = {key: value if key == "intent" else value[:, :6] for key, value in shown(network(**more), more["attention_mask"]).items()}
    assert farthest(whole, padded) < 1e-9
    for index, length in enumerate(lengths):
        single = {key: value[index : index + 1, :length] for key, value in found.items()}
        alone = network(**single)
        assert farthest(alone, {key: value[index : index + 1, :length] if key != "intent" else value[index : index + 1] for key, value in whole.items()}) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_a_token_that_is_there_matters(name: str, tmp_path: Path) -> None:
    """The control of the test above: what is compared does depend on ids."""
    started, _ = start(name, tmp_path)
    network = started.network.double().eval()
    found = inputs([6, 1, 4], started.encoder.vocabulary_size)
    before = network(**found)
    found["input_ids"][:, 0] = 4 + (found["input_ids"][:, 0] - 3) % (started.encoder.vocabulary_size - 4)
    assert farthest(before, network(**found)) > 1e-6


@pytest.mark.parametrize("name", ["bilstm", "bilstm-characters", "bert", "gpt2", "lora"])
def test_first_weights_follow_from_the_seed(name: str, tmp_path: Path) -> None:
    model, shape = block(name, tmp_path)
    one, again, other = (dict(model.start(shape, {}, seed).network.named_parameters()) for seed in (1, 1, 2))
    assert farthest(one, again) == 0 and farthest(one, other) > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_answers_as_before(name: str, tmp_path: Path) -> None:
    started, shape = start(name, tmp_path)
    folder = tmp_path / "artifact"
    folder.mkdir()
    save_model(folder, started, shape, {"guarantee": "none"}, {"digest": "d"})
    for published in tmp_path.glob("published-*"):
        published.rename(tmp_path / "gone")  # a saved model needs its source no more
    loaded = load_model(folder, "cpu")
    found = inputs([6, 1, 4], started.encoder.vocabulary_size, pad=started.encoder.pad_id)
    started.network.eval()
    assert farthest(started.network(**found), loaded.network(**found)) == 0
    assert loaded.shape == shape and not loaded.network.training and loaded.encoder.encode(PLAIN) == started.encoder.encode(PLAIN)
    trained = [[key for key, value in network.named_parameters() if value.requires_grad] for network in (started.network, loaded.network)]
    assert trained[0] == trained[1]
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".pickle")]
    assert json.loads((folder / "privacy.json").read_text()) == {"guarantee": "none"}


@pytest.mark.parametrize("broken", ["nothing", "config", "labels"])
def test_a_folder_that_is_no_artifact_gives_one_line(broken: str, tmp_path: Path) -> None:
    started, shape = start("linear", tmp_path)
    folder = tmp_path / "artifact"
    folder.mkdir()
    if broken != "nothing":
        save_model(folder, started, shape, {}, {})
        (folder / f"{broken}.json").write_text("{")
    with pytest.raises(ModelError, match="not a model artifact") as caught:
        load_model(folder, "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lora", "lora-lm", "frozen", "published"])
def test_frozen_parts_stay_and_the_others_learn(name: str, tmp_path: Path) -> None:
    import pandas as pd

    started, shape = start(name, tmp_path)
    network = started.network.train()
    tokens = [text.split() for text in PLAIN[:4]]
    values = {"text": PLAIN[:4], "label": ["a", "b", "c", "a"], "tokens": tokens, "slots": [["B-y"] * len(words) for words in tokens]}
    encoded = encode_split(pd.DataFrame(values), started.encoder, shape)
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    optimizer = torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.5)
    for _ in range(2):  # an adapter's second factor starts at zero, so its first learns from the second step on
        batch = encoded.batch(range(len(encoded)))
        optimizer.zero_grad()
        per_example_loss(network(**network_inputs(batch)), batch).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moved = {key for key, value in network.named_parameters() if not torch.equal(value, before[key])}
    frozen = {key for key, value in network.named_parameters() if not value.requires_grad}
    assert not moved & frozen
    unused = {key for key in before if "pooler" in key or key.endswith("key.bias")}  # no answer depends on them: attention ignores a shift of all keys
    assert moved | unused == (set(before) - frozen) | unused
    match name:
        case "lora" | "lora-lm":
            assert frozen == {key for key in before if "lora_" not in key and not key.startswith("heads.")}
        case "frozen":
            assert frozen == {key for key in before if key.startswith(("body.embeddings.", "body.encoder.layer.0."))}
        case _:
            assert not frozen


def test_an_unserved_task_is_refused(tmp_path: Path) -> None:
    model, _ = block("linear", tmp_path)
    with pytest.raises(ModelError, match="'linear' does not serve task 'lm'; it serves intent"):
        model.start(LM, {}, 0)


def test_a_recorded_model_goes_on_from_its_weights(tmp_path: Path) -> None:
    started, shape = start("bert", tmp_path)
    folder = tmp_path / "artifact"
    folder.mkdir()
    save_model(folder, started, shape, {}, {})
    recorded = MODELS.parse({"kind": "mlflow", "run": "abc"})
    again = recorded.start(shape, {"base": folder}, 5)  # type: ignore[attr-defined]
    assert farthest(dict(started.network.named_parameters()), dict(again.network.named_parameters())) == 0
    with pytest.raises(ModelError, match="the recorded model answers task 'joint' with 3 labels and 4 slot tags"):
        recorded.start(TaskShape("joint", ("a", "b"), JOINT.slots), {"base": folder}, 5)  # type: ignore[attr-defined]
