"""Counterfactual logit pairing: its loss is the formula's, dropout is no gap, and a classifier learns to answer text and reversal alike."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.core.errors import UserError
from tasks.core.measures import Measures
from tasks.data.prepared import PreparedData
from tasks.models.batches import encode_split, network_inputs
from tasks.models.model import MODELS, TaskShape
from tasks.training.augmentation import Augmentation, encode_augmented
from tasks.training.gradients import MeanGradient, Paired, PairedGradient, PairedLoss
from tasks.training.pairing import Pairing, encode_paired
from tests.conftest import NewRun, Prepare
from tests.specs.given import loaded, refused
from tests.training import private
from tests.training.gaps import PLANTED, gap, trained
from tests.training.trainings import BERT, BILSTM, LINEAR

TEXTS = ["she is tall", "it rains on monday", "the long text is on a woman who was late", "my brother said that he is rude", "she saw her duck"]
REVERSALS = {0: "he is tall", 2: "the long text is on a man who was late", 3: "my sister said that she is rude"}
LABELS = ("yes", "no", "maybe")
RECORDS = pd.DataFrame({"id": list("abcde"), "text": TEXTS, "label": ["yes", "no", "no", "yes", "maybe"]})
SHAPE = TaskShape("intent", LABELS)
ALL = torch.arange(len(TEXTS))
NETWORKS: dict[str, dict[str, Any]] = {
    "linear": LINEAR,
    "bilstm": {**BILSTM, "dropout": 0.0},
    "bytes": {**BILSTM, "dropout": 0.0, "tokenizer": {"kind": "bytes", "max_tokens": 64}},
    "bert": {**BERT, "dropout": 0.0},
}


def begun(model: dict[str, Any], weight: float = 1.0, **changed: Any) -> tuple[nn.Module, Paired, Any]:
    started = MODELS.parse(model).start(SHAPE, {}, 1)  # type: ignore[attr-defined]
    if model["kind"] == "linear":  # its weights begin at zero
        torch.manual_seed(0)
        for parameter in started.network.parameters():
            nn.init.normal_(parameter, std=0.3)
    paired = encode_paired(RECORDS, started.encoder, SHAPE, Pairing.model_validate({"weight": weight}))
    return started.network.train(), replace(paired, **changed), started.encoder


def found(gradient: MeanGradient, network: nn.Module, indices: Tensor = ALL) -> tuple[float, dict[str, Tensor]]:
    """Loss, and gradients by name."""
    network.zero_grad(set_to_none=True)
    loss = float(gradient(network, indices, 0))
    return loss, {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def by_hand(network: nn.Module, encoder: Any, weight: float) -> tuple[float, dict[str, Tensor]]:
    """One text at a time: cross-entropy, and weight times the mean over labels of the absolute difference to the hand-made reversal."""

    def logits(text: str) -> Tensor:
        alone = encode_split(pd.DataFrame({"text": [text], "label": ["yes"]}), encoder, SHAPE)
        answer: Tensor = network(**network_inputs(alone.batch([0])))["intent"][0]
        return answer

    network.zero_grad(set_to_none=True)
    total = torch.zeros(())
    for place, text in enumerate(TEXTS):
        own = logits(text)
        total = total + cross_entropy(own, torch.tensor(LABELS.index(RECORDS["label"][place])))
        if place in REVERSALS:
            total = total + weight * (own - logits(REVERSALS[place])).abs().sum() / len(LABELS)
    (total / len(TEXTS)).backward()  # type: ignore[no-untyped-call]
    return float(total.detach()) / len(TEXTS), {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("piece", [None, 2, 1])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_loss_and_gradient_are_those_of_the_formula(name: str, piece: int | None) -> None:
    network, paired, encoder = begun(NETWORKS[name], 2.5)
    loss, gradients = found(PairedGradient(paired, "cpu", "fp32", 3, piece), network)
    expected, wanted = by_hand(network, encoder, 2.5)
    plain, _ = found(MeanGradient(encode_split(RECORDS, encoder, SHAPE), "cpu", "fp32", 3, piece), network)
    assert loss == pytest.approx(expected, rel=1e-4) and loss > plain + 1e-3
    assert gradients.keys() == wanted.keys()
    for key, value in gradients.items():
        torch.testing.assert_close(value, wanted[key], rtol=1e-3, atol=1e-5)


def test_a_batch_carries_the_reversals_padded_alike() -> None:
    _, paired, encoder = begun(NETWORKS["bytes"])
    assert paired.twin.tolist() == [0, -1, 1, 2, -1] and len(paired.twins) == 3
    batch = paired.batch([4, 3, 0])
    assert batch["twin_of"].tolist() == [1, 2]
    assert batch["twin_input_ids"].shape == (2, batch["input_ids"].shape[1]) == batch["twin_attention_mask"].shape
    for row, place in enumerate((3, 0)):
        (expected,) = encoder.encode([REVERSALS[place]])
        assert batch["twin_input_ids"][row][batch["twin_attention_mask"][row]].tolist() == expected
    alone = paired.batch([4, 1])
    assert alone.keys() == encode_split(RECORDS, encoder, SHAPE).batch([4, 1]).keys()


@pytest.mark.parametrize("name", ["bilstm", "bert"])
def test_texts_without_a_reversal_add_nothing(name: str) -> None:
    network, paired, encoder = begun({**NETWORKS[name], "dropout": 0.3})
    chosen = torch.tensor([1, 4])
    loss, gradients = found(PairedGradient(paired, "cpu", "fp32", 3, None), network, chosen)
    plain, wanted = found(MeanGradient(encode_split(RECORDS, encoder, SHAPE), "cpu", "fp32", 3, None), network, chosen)
    assert loss == plain and all(torch.equal(value, wanted[key]) for key, value in gradients.items())


@pytest.mark.parametrize("name", ["bilstm", "bert"])
def test_dropout_is_no_gap(name: str) -> None:
    """Texts that are their own reversals add nothing at all, however much a gap weighs. Positive control: other masks, and real reversals, add something."""
    model = {**NETWORKS[name], "dropout": 0.4}
    network, _, encoder = begun(model)
    itself = encode_split(RECORDS, encoder, SHAPE)
    same = {"twins": itself, "twin": ALL.clone()}
    light, heavy = (found(PairedGradient(begun(model, weight, **same)[1], "cpu", "fp32", 3, None), network)[0] for weight in (1.0, 1000.0))
    assert light == heavy
    real = [found(PairedGradient(begun(model, weight)[1], "cpu", "fp32", 3, None), network)[0] for weight in (1.0, 1000.0)]
    assert real[1] > real[0] + 1
    batch = network_inputs(itself.batch(ALL))
    assert not torch.equal(network(**batch)["intent"], network(**batch)["intent"])


def test_a_reversed_example_is_compared_with_its_text() -> None:
    """With augmentation: text and reversal are examples, each the other's counterpart."""
    started = MODELS.parse(LINEAR).start(SHAPE, {}, 1)  # type: ignore[attr-defined]

    both, _ = encode_augmented(RECORDS, started.encoder, SHAPE, Augmentation(), partial(encode_paired, pairing=Pairing()))
    assert isinstance(both, Paired) and both.records.tolist() == [0, 0, 1, 2, 2, 3, 3, 4] and isinstance(both.loss, PairedLoss)
    for one, other in ((0, 1), (3, 4), (5, 6)):
        for text, reversal in ((one, other), (other, one)):
            assert torch.equal(both.twins.ids[both.twin[text]], both.ids[reversal])


@pytest.fixture(scope="module")
def biased(prepare: Prepare) -> PreparedData:
    return prepare(PLANTED)


def test_pairing_lowers_the_planted_gap_and_tells_of_how_many_texts(biased: PreparedData, new_run: NewRun) -> None:
    """The more it weighs the less is left of the gap; without it there is most of what was planted."""
    plain, light, heavy = (trained(biased, new_run, **asked) for asked in ({}, {"pairing": {"weight": 0.2}}, {"pairing": {"weight": 3}}))
    gaps = [gap(model, biased) for model in (plain, light, heavy)]
    assert gaps[0] > 0.3 and gaps[0] > gaps[1] + 0.05 and gaps[1] > gaps[2] and gaps[2] < 0.08
    told = {row.name: row.value for row in Measures.load_rows(heavy) if row.name.startswith("train/")}
    assert told == {"train/texts_paired": 1.0} and not [row for row in Measures.load_rows(plain) if row.name.startswith("train/")]


def test_what_cannot_be_paired_is_refused_while_training_too(prepare: Prepare, new_run: NewRun) -> None:
    data = prepare({**PLANTED, "examples": 100, "public_size": 80})
    with pytest.raises(UserError, match="the loss of an example spans two passes"):
        private.begun(private.config(LINEAR, "opacus-ghost", training={"pairing": {}}), data, new_run())
    with pytest.raises(UserError, match="task 'joint' has none of its own; it is for intent"):
        trained(prepare({"kind": "synthetic-assistant", "task": "joint", "examples": 100}), new_run, BILSTM, pairing={})


@pytest.mark.parametrize(
    ("data", "model", "others", "rule"),
    [
        ("task: intent, public_size: 900", "linear", "privacy: {kind: dp-sgd, target_epsilon: 3}\n", "TRAIN-04"),
        ("task: joint", "bilstm", "", "TRAIN-05"),
    ],
)
def test_a_study_that_cannot_be_paired_is_refused(data: str, model: str, others: str, rule: str, tmp_path: Path) -> None:
    head = f"kind: dp-training\nname: x\ndata: {{kind: synthetic-assistant, {data}}}\nmodel: {{kind: {model}}}\ntraining: "
    (error,) = refused(tmp_path, f"{head}{{pairing: {{weight: 2}}}}\n{others}")
    assert (error.line, error.path) == (5, "training.pairing") and error.message.endswith(f"[{rule}]")
    loaded(tmp_path, f"{head}{{}}\n{others}")


def test_a_teacher_and_devices_are_not_paired(tmp_path: Path) -> None:
    data = "name: x\ndata: {kind: synthetic-stereotypes, task: lm}\n"
    text = f"kind: debiased-distillation\n{data}teacher: {{kind: gpt2}}\nstudent: {{kind: gpt2}}\n"
    (error,) = refused(tmp_path, f"{text}teacher_training: {{pairing: {{}}}}\n")
    assert error.message.endswith("[TRAIN-06]") and error.path == "teacher_training.pairing"
    federated = f"kind: fl-selection\n{data.replace('lm', 'intent')}model: {{kind: linear}}\npartition: {{kind: iid, devices: 9}}\n"
    (error,) = refused(tmp_path, f"{federated}federation: {{client: {{pairing: {{}}}}}}\n")
    assert "pairing" in f"{error.path} {error.message}"
