"""A published model that is loaded as it is answers as its own library says it does, and so does its artifact without its source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

from tasks.models.artifact import LoadedModel, load_model, save_model
from tasks.models.continuing import Continued
from tasks.models.model import MODELS, Model, ModelError, Relaxable, TaskShape
from tasks.models.probing import Probe
from tasks.models.steps import LoadConfig, load
from tests.conftest import NewRun
from tests.models.samples import farthest, inputs, publish
from tests.models.test_published import FAMILIES
from tests.text.corpus import PLAIN

MOODS = ("anger", "joy", "sadness")
TAGS = ("O", "B-city", "I-city", "B-date")
LENGTHS = [6, 2, 4]
TOKENS = {"kind": "hashing", "buckets": 90, "max_tokens": 30}
MAKERS: dict[str, Any] = {"classifier": AutoModelForSequenceClassification, "tagger": AutoModelForTokenClassification}
CASES = [(read_as, family) for read_as in ("classifier", "tagger") for family in sorted(FAMILIES)]


def published(folder: Path, read_as: str, family: str, labels: tuple[str, ...] = MOODS, **said: Any) -> Any:
    """A random classifier or tagger in a folder, as a publisher would save it."""
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: index for index, name in enumerate(labels)}}
    torch.manual_seed(1)
    twin = MAKERS[read_as].from_config(AutoConfig.for_model(family, **{"pad_token_id": 1, **FAMILIES[family], **names, **said}))
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    twin.eval().save_pretrained(folder)
    return twin


def loaded(source: Path, new_run: NewRun, read_as: str = "auto", **fields: Any) -> Path:
    """The artifact of a published model."""
    run = new_run()
    block = {"kind": "pretrained", "source": str(source), "tokenizer": TOKENS, **fields}
    load(LoadConfig.model_validate({"model": block, "read_as": read_as}), {}, 0, run)
    return run.folder


def answered(found: LoadedModel, name: str, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        answers: Tensor = found.network(**batch)[name]
    return answers if name == "intent" else answers * batch["attention_mask"].unsqueeze(-1)


@pytest.mark.parametrize(("read_as", "family"), CASES)
def test_answers_are_those_of_the_library(read_as: str, family: str, tmp_path: Path, new_run: NewRun) -> None:
    """Which is asked without positions; and the artifact is read without its source."""
    labels, name = (MOODS, "intent") if read_as == "classifier" else (TAGS, "slots")
    twin = published(tmp_path / "source", read_as, family, labels)
    artifact = loaded(tmp_path / "source", new_run)
    shutil.rmtree(tmp_path / "source")
    found = load_model(artifact, "cpu")
    assert found.shape == (TaskShape("intent", MOODS) if read_as == "classifier" else TaskShape("tagging", slots=TAGS))
    batch = inputs(LENGTHS, 92, pad=1)
    expected = twin(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.detach()
    expected = expected if name == "intent" else expected * batch["attention_mask"].unsqueeze(-1)
    torch.testing.assert_close(answered(found, name, batch), expected, atol=1e-5, rtol=1e-4)
    shuffled = {**batch, "position_ids": batch["position_ids"].flip(1)}
    assert float((answered(found, name, shuffled) - expected).abs().max()) > 1e-4  # so that other positions would be seen


@pytest.mark.parametrize(("read_as", "family"), CASES)
def test_answers_to_the_vectors_of_tokens_are_the_same(read_as: str, family: str, tmp_path: Path, new_run: NewRun) -> None:
    """Where padding stands too, which a library's decoder does not know of where it is given vectors."""
    published(tmp_path / "source", read_as, family, TAGS)
    found = load_model(loaded(tmp_path / "source", new_run), "cpu").network
    assert isinstance(found, Relaxable)
    network: Any = found
    for batch in (inputs(LENGTHS, 92, pad=1), inputs(LENGTHS, 92, extra=3, pad=7)):
        there = {name: value if name == "intent" else value * batch["attention_mask"].unsqueeze(-1) for name, value in network(**batch).items()}
        given = network.answers(network.vectors(batch["input_ids"]), batch["attention_mask"], batch["position_ids"])
        given = {name: value if name == "intent" else value * batch["attention_mask"].unsqueeze(-1) for name, value in given.items()}
        assert farthest(there, given) < 1e-5
        assert network.states(**batch).shape[:2] == batch["input_ids"].shape


def test_texts_are_classified_as_by_the_librarys_own_pipeline(tmp_path: Path, new_run: NewRun) -> None:
    """One text at a time with its own tokenizer, marks included."""
    source = publish(tmp_path / "source", TaskShape("intent", MOODS))
    published(source, "classifier", "bert", vocab_size=300, max_position_embeddings=64)
    run = new_run()
    load(LoadConfig.model_validate({"model": {"kind": "pretrained", "source": str(source)}}), {}, 0, run)
    probe = Probe.open(run.folder)
    assert probe.abilities == {"encoder", "classifier"} and probe.shape.labels == MOODS
    tokenizer, twin = AutoTokenizer.from_pretrained(source), AutoModelForSequenceClassification.from_pretrained(source).eval()
    with torch.no_grad():
        expected = [twin(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits[0].softmax(-1).numpy() for text in PLAIN[:4]]
    np.testing.assert_allclose(probe.classify(PLAIN[:4]), expected, atol=1e-5)
    facts = json.loads((run.folder / "data.json").read_text())
    assert facts["labels"] == list(MOODS) and facts["counts"] == {} and json.loads((run.folder / "privacy.json").read_text()) == {"guarantee": "none"}


def test_a_classifier_can_be_read_for_its_states_alone(tmp_path: Path, new_run: NewRun) -> None:
    twin = published(tmp_path / "source", "classifier", "bert")
    found = load_model(loaded(tmp_path / "source", new_run, "encoder"), "cpu")
    assert found.shape == TaskShape("encoder")
    batch = inputs(LENGTHS, 92, pad=1)
    expected = twin.base_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    torch.testing.assert_close(found.network.states(**batch) * mask, expected * mask, atol=1e-5, rtol=1e-4)  # type: ignore[operator]


@pytest.mark.parametrize("said", [{"problem_type": "multi_label_classification"}, {"labels": ("score",)}, {"problem_type": "regression"}])
def test_what_does_not_answer_with_one_of_several_labels_is_an_encoder(said: dict[str, Any], tmp_path: Path, new_run: NewRun) -> None:
    published(tmp_path / "source", "classifier", "distilbert", **said)
    assert load_model(loaded(tmp_path / "source", new_run), "cpu").shape.task == "encoder"
    with pytest.raises(ModelError, match="was published as encoder: it has no trained answers as classifier"):
        loaded(tmp_path / "source", new_run, "classifier")


@pytest.mark.parametrize(("maker", "published_as"), [(AutoModel, "encoder"), (AutoModelForMaskedLM, "masked-lm")])
def test_a_model_without_labels_is_no_classifier(maker: Any, published_as: str, tmp_path: Path, new_run: NewRun) -> None:
    maker.from_config(AutoConfig.for_model("bert", **FAMILIES["bert"])).save_pretrained(tmp_path / "source")
    for read_as in ("classifier", "tagger"):
        with pytest.raises(ModelError, match=f"was published as {published_as}: it has no trained answers as {read_as}"):
            loaded(tmp_path / "source", new_run, read_as)


def started(source: Path, shape: TaskShape, **fields: Any) -> Any:
    model = MODELS.parse({"kind": "pretrained", "source": str(source), "tokenizer": TOKENS, "answers": "own", **fields})
    assert isinstance(model, Model)
    return model.start(shape, {}, 0)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
@pytest.mark.parametrize("adapter", ["none", "lora", "last-layers"])
def test_a_classifier_is_trained_on_from_its_own_answers(family: str, adapter: str, tmp_path: Path) -> None:
    """Before any step it answers as it was published, and what is saved answers the same."""
    twin = published(tmp_path / "source", "classifier", family)
    found = started(tmp_path / "source", TaskShape("intent", MOODS), adapter={"kind": adapter})
    batch = inputs(LENGTHS, 92, pad=1)
    expected = twin(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    found.network.eval()
    torch.testing.assert_close(found.network(**batch)["intent"], expected, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        for parameter in found.network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    (tmp_path / "saved").mkdir()
    save_model(tmp_path / "saved", found, TaskShape("intent", MOODS), {}, {})
    shutil.rmtree(tmp_path / "source")
    assert farthest(load_model(tmp_path / "saved", "cpu").network(**batch), found.network(**batch)) == 0


def test_own_answers_must_be_there_and_be_those_of_the_data(tmp_path: Path) -> None:
    published(tmp_path / "source", "classifier", "bert")
    with pytest.raises(ModelError, match=r"it answers with anger, joy, sadness; the data has joy, anger, sadness: the labels and their order must be the same"):
        started(tmp_path / "source", TaskShape("intent", ("joy", "anger", "sadness")))
    with pytest.raises(ModelError, match="no answers of its own for task 'joint'"):
        started(tmp_path / "source", TaskShape("joint", MOODS, TAGS))
    AutoModel.from_config(AutoConfig.for_model("bert", **FAMILIES["bert"])).save_pretrained(tmp_path / "encoder")  # type: ignore[no-untyped-call]
    with pytest.raises(ModelError, match=r"published without trained answers for task 'intent' \(classifier.bias is missing\)"):
        started(tmp_path / "encoder", TaskShape("intent", ("LABEL_0", "LABEL_1")))


@pytest.mark.parametrize("family", ["bert", "distilbert", "gpt2"])
def test_a_classifier_is_continued_with_other_labels(family: str, tmp_path: Path, new_run: NewRun) -> None:
    """Its body stays, its answers are new, and what is saved then needs the published ones no more."""
    published(tmp_path / "source", "classifier", family)
    base = loaded(tmp_path / "source", new_run)
    shape = TaskShape("intent", ("p", "q"))
    found = Continued(kind="continued").start(shape, {"base": base}, 1)
    (tmp_path / "found").mkdir()
    save_model(tmp_path / "found", found, shape, {}, {})
    texts = PLAIN[:3]
    np.testing.assert_allclose(Probe.open(tmp_path / "found").text_states(texts), Probe.open(base).text_states(texts), atol=1e-5)
    assert Probe.open(tmp_path / "found").classify(texts).shape == (3, 2)
    same = Continued(kind="continued").start(TaskShape("intent", MOODS), {"base": base}, 1)
    assert farthest(same.network.eval()(**inputs(LENGTHS, 92)), load_model(base, "cpu").network(**inputs(LENGTHS, 92))) == 0
