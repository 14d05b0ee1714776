"""Mitigations of a trained model: what a classifier of another library still tells of gender, what is carried over, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression

from tasks.core.measures import Measures, Row
from tasks.data._biographies import biographies
from tasks.data.prepared import PreparedData
from tasks.fairness.eraser import CannotErase
from tasks.fairness.mitigation import MITIGATIONS, Mitigation
from tasks.fairness.mitigations.erase import EraseGroup
from tasks.fairness.steps import MitigateConfig, mitigate
from tasks.models.artifact import load_model
from tasks.models.decoding import Doubt
from tasks.models.model import ModelError
from tasks.models.probing import Probe
from tasks.text.counterfactuals.gender import Gender
from tasks.text.reversal import Reversed
from tasks.text.steps import FitTokenizerConfig, fit_tokenizer
from tasks.text.tokenizers.trained import Trained
from tasks.training.steps import TrainConfig, train
from tests.conftest import NewRun, Prepare
from tests.models.exports import save
from tests.models.samples import start

CORPUS = {"kind": "synthetic-professions", "examples": 400, "skew": 0.0, "seed": 3}
DATA = {"kind": "synthetic-professions", "examples": 400, "skew": 0.5, "seed": 4, "public_size": 300, "attack_holdout": 30}
WORDS = {"kind": "trained", "corpus": CORPUS, "vocabulary": 500, "max_tokens": 64}
MODEL = {"kind": "gpt2", "layers": 1, "hidden_size": 16, "heads": 2, "dropout": 0.0, "tokenizer": WORDS}
LEACE = {"kind": "erase", "eraser": {"kind": "leace"}}
GENDER = Gender(kind="gender")


@pytest.fixture(scope="module")
def data(prepare: Prepare) -> Path:
    return prepare(DATA).folder


@pytest.fixture(scope="module")
def model(prepare: Prepare, new_run: NewRun, data: Path) -> Path:
    """The artifact of a short training."""
    vocabulary, run = new_run(), new_run()
    fit_tokenizer(FitTokenizerConfig(tokenizer=Trained.model_validate(WORDS)), {"corpus": prepare(CORPUS).folder}, 0, vocabulary)
    learning = {"epochs": 2, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.01}}
    config = TrainConfig.model_validate({"model": MODEL, "training": learning, "privacy": {"kind": "none"}, "randomness": "reproducible"})
    train(config, {"data": data, "tokenizer": vocabulary.folder}, 0, run)
    return run.folder


def mitigation(values: dict[str, Any]) -> Mitigation:
    found = MITIGATIONS.parse(values)
    assert isinstance(found, Mitigation)
    return found


def mitigated(values: dict[str, Any], model: Path, data: Path, new_run: NewRun, seed: int = 0) -> Path:
    run = new_run()
    config = MitigateConfig.model_validate({"mitigation": values, "counterfactual": {"kind": "gender"}})
    mitigate(config, {"model": model, "data": data}, seed, run)
    return run.folder


@pytest.fixture(scope="module")
def erased(model: Path, data: Path, new_run: NewRun) -> Path:
    return mitigated(LEACE, model, data, new_run)


def people(n: int, seed: int) -> tuple[list[str], NDArray[np.intp]]:
    """New texts whose professions tell nothing of gender, and of each whether it is on a man: by its words, counted one by one."""
    texts = biographies(n, 0.0, seed)
    return texts, np.array([int(not {"she", "her", "sister", "woman"} & set(text.split())) for text in texts], dtype=np.intp)


def told(folder: Path) -> float:
    """How often a logistic regression on mean states, learnt on 600 new texts, is right on 600 others."""
    probe = Probe.open(folder)
    (seen, classes), (asked, truth) = people(600, 21), people(600, 22)
    found = LogisticRegression(max_iter=2000).fit(probe.text_states(seen), classes)
    return float(found.score(probe.text_states(asked), truth))


def test_erasing_leaves_a_fresh_probe_little(model: Path, erased: Path) -> None:
    """A guess is right on more than 0.58 of 600 with a chance under 1 in 10,000; what LEACE could not see of 700 states adds less than a hundredth."""
    assert told(model) > 0.8
    assert told(erased) < 0.59


def test_on_the_states_it_was_fitted_on_no_line_parts_the_groups(model: Path, erased: Path, data: Path) -> None:
    found = mitigation(LEACE)
    assert isinstance(found, EraseGroup)
    texts, classes = found._texts(data, GENDER, 0)
    means = {}
    for name, folder in (("before", model), ("after", erased)):
        states = Probe.open(folder).text_states(texts)
        means[name] = float(np.abs(states[classes == 0].mean(axis=0) - states[classes == 1].mean(axis=0)).max() / states.std(axis=0).max())
    assert means["after"] < 1e-4 < 0.1 < means["before"]


def test_the_numbers_of_an_erasure_have_reasons_and_those_of_the_training_stay(model: Path, erased: Path) -> None:
    before, after = ({row.name: row for row in Measures.load_rows(folder)} for folder in (model, erased))
    assert {name: after[name] for name in before} == before and "cost/train_seconds" in before
    assert after.keys() - before.keys() == {"fairness/erase/probe_before/score", "fairness/erase/probe_after/score"}
    rows = [after[f"fairness/erase/{name}/score"] for name in ("probe_before", "probe_after")]
    assert rows[0].value is not None and rows[1].value is not None and rows[0].value > 0.8 > 0.65 > rows[1].value
    for row, words in zip(rows, ("a linear probe's accuracy of group, before; ", "the same, after; "), strict=True):
        assert row.reason == f"{words}leace took out 1 of 16 dimensions; majority 0.500"
        assert (row.direction, row.lowest, row.highest, row.status) == ("none", 0, 1, "ok")
        assert row.n == pytest.approx(int(row.conditions["texts"]) / 2, abs=2)  # a quarter of two states each


def test_facts_of_privacy_data_and_machine_are_carried_over(model: Path, erased: Path) -> None:
    for name in ("privacy.json", "data.json", "environment.json"):
        assert json.loads((erased / name).read_text()) == json.loads((model / name).read_text())
    assert len(json.loads((erased / "data.json").read_text())["members"]) > 200
    before, after = (load_file(folder / "model.safetensors") for folder in (model, erased))
    assert after.keys() - before.keys() == {"eraser.matrix", "eraser.shift"}
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_seed_draws_the_texts(model: Path, data: Path, new_run: NewRun) -> None:
    few = {**LEACE, "texts": 60}
    maps = [load_file(mitigated(few, model, data, new_run, seed) / "model.safetensors")["eraser.matrix"] for seed in (1, 1, 2)]
    assert torch.equal(maps[0], maps[1]) and not torch.allclose(maps[0], maps[2], atol=1e-3)


def test_texts_stand_beside_their_reversals_with_the_group_that_most_of_their_words_are_of(data: Path) -> None:
    found, whole = mitigation({**LEACE, "texts": 50}), PreparedData(data).split("train")["text"].tolist()
    assert isinstance(found, EraseGroup) and found.reads_training_texts
    texts, classes = found._texts(data, GENDER, 0)
    assert len(texts) == 100 and set(texts[::2]) <= set(whole) and len(set(texts[::2])) == 50
    on_men = {"he", "his", "brother", "man"}
    for place in range(0, len(texts), 2):
        reversal = GENDER.reverser().reverse(texts[place])
        assert isinstance(reversal, Reversed) and texts[place + 1] == reversal.text
        assert [int(bool(on_men & set(text.split()))) for text in texts[place : place + 2]] == classes[place : place + 2].tolist()
    assert 10 < int(classes[::2].sum()) < 40


def folder_of(texts: Sequence[str], folder: Path) -> Path:
    """Prepared texts as far as a mitigation reads them."""
    folder.mkdir()
    pd.DataFrame({"id": [f"r{place}" for place in range(len(texts))], "text": list(texts)}).to_parquet(folder / "train.parquet")
    return folder


def test_too_few_reversible_texts_are_one_line(model: Path, tmp_path: Path) -> None:
    """No word of a group, an unclear one, as many of one group as of the other, and, of the 21st, one on health: these do not count."""
    others = ["the lamp is new .", "we saw her duck .", "she met him ."] * 20
    loaded, found = load_model(model, "cpu"), mitigation(LEACE)
    few = folder_of([*biographies(19, 0.0, 5), *others], tmp_path / "few")
    with pytest.raises(CannotErase) as caught:
        found.apply(loaded, few, GENDER, 0, "cpu")
    assert str(caught.value) == "erase: 19 training texts have a role reversal and lean to a group, 20 are needed" and loaded.network.eraser is None
    enough = folder_of([*biographies(21, 0.0, 5), *others], tmp_path / "enough")
    network, _ = found.apply(loaded, enough, GENDER, 0, "cpu")
    assert network.eraser is not None


@pytest.mark.parametrize(
    ("text", "lean"),
    [
        ("the lamp is new", 0),
        ("she is here", 1),
        ("He is here", -1),
        ("she met her brother", 1),
        ("HIS sister and his mother", 0),
        ("the book is hers , not his", 0),
        ("we saw him and him and her", -1),
        ("actresses , an actor and a king", -1),
        ("the widow's mother-in-law", 2),
        ("a man-made lake", 0),
        ("pregnant women", 1),
    ],
)
def test_a_text_leans_to_the_group_of_most_of_its_words(text: str, lean: int) -> None:
    """Women first: as the table has them."""
    reverser = GENDER.reverser()
    assert reverser.lean(text) == lean
    reversal = reverser.reverse(text)
    assert not isinstance(reversal, Reversed) or reverser.lean(reversal.text) == -lean


def test_words_of_ones_own_table_lean_too() -> None:
    assert Gender(kind="gender", names=(("Mary", "John"),)).reverser().lean("Mary , John and John") == -1
    assert GENDER.reverser().lean("Mary , John and John") == 0


def test_none_changes_nothing(model: Path, data: Path, new_run: NewRun) -> None:
    found, loaded = mitigation({"kind": "none"}), load_model(model, "cpu")
    network, rows = found.apply(loaded, data, GENDER, 0, "cpu")
    assert network is loaded.network and rows == () and not type(found).changes and not found.reads_training_texts
    assert all(type(mitigation(values)).changes for values in (LEACE, {"kind": "self-debias"}))
    folder = mitigated({"kind": "none"}, model, data, new_run)
    for path in model.iterdir():
        if path.is_file():
            assert (folder / path.name).read_bytes() == path.read_bytes() or path.name == "measures.json"
    assert Measures.load_rows(folder) == Measures.load_rows(model)


def test_a_model_that_doubts_itself_is_saved_so(model: Path, data: Path, new_run: NewRun, tmp_path: Path) -> None:
    folder = mitigated({"kind": "self-debias", "prefix": "she said", "decay": 9}, model, data, new_run)
    loaded = load_model(folder, "cpu")
    assert loaded.network.doubt == Doubt(prefix="she said", decay=9, floor=0.01) and Measures.load_rows(folder) == Measures.load_rows(model)
    defaults = mitigation({"kind": "self-debias"}).model_dump(exclude={"kind"})
    assert defaults == Doubt().model_dump()  # two places say them
    started, shape = start("bilstm", tmp_path)
    answers = load_model(save(tmp_path / "bilstm", started, shape), "cpu")
    with pytest.raises(ModelError) as caught:
        mitigation({"kind": "self-debias"}).apply(answers, data, GENDER, 0, "cpu")
    assert str(caught.value) == "self-debias changes how a model writes, and this one does not: it answers task joint"


def test_rows_are_of_the_design(erased: Path) -> None:
    from tests.pipelines.metric_names import unfit

    rows: tuple[Row, ...] = Measures.load_rows(erased)
    assert rows and not [row.name for row in rows if unfit(row.name)]
