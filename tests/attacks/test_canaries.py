"""Attacks on canaries: exposure against a slow twin, inversion against enumeration, completion, and chance where nothing was inserted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from tasks.attacks._candidates import Hunted, hunted, interval_of
from tasks.attacks._exposure import bits_of, rank
from tasks.attacks.attack import ATTACKS, Attack
from tasks.core.measures import Measures, Row
from tasks.data.canary import CANARIES, Canaries
from tasks.data.inserting import write_inserted
from tasks.models.losses import per_example_loss
from tasks.models.model import ModelError
from tasks.privacy.mechanisms.none import NoPrivacy
from tasks.training.steps import TrainConfig, train
from tests.conftest import NewRun, Prepare

DATA = {"kind": "synthetic-assistant", "examples": 300, "users": 20, "intents": 4, "task": "joint"}
MODEL = {"kind": "bilstm", "hidden_size": 24, "embedding_size": 24, "dropout": 0.0, "tokenizer": {"kind": "hashing", "buckets": 512, "max_tokens": 24}}
TRAINING = {"epochs": 12, "expected_batch_size": 32, "optimizer": {"kind": "adamw", "learning_rate": 0.02}}
Trained = tuple[Path, Path]


class Told:
    """A report that is on a device and says nothing."""

    device = "cpu"

    def progress(self, *said: Any) -> None:
        return


def trained(
    prepare: Prepare,
    new_run: NewRun,
    folder: Path,
    block: Mapping[str, Any],
    data: Mapping[str, Any] = DATA,
    model: Mapping[str, Any] = MODEL,
    training: Mapping[str, Any] = TRAINING,
) -> Trained:
    """A model trained on data with canaries, and the data."""
    canaries = CANARIES.parse({"kind": "digits", "length": 3, "repetitions": 30, **block})
    assert isinstance(canaries, Canaries)
    folder.mkdir(parents=True, exist_ok=True)
    write_inserted(canaries, prepare(data), 0, folder)
    config = TrainConfig.model_validate({"model": model, "training": training, "privacy": NoPrivacy(kind="none").model_dump(), "randomness": "reproducible"})
    run = new_run()
    train(config, {"data": folder}, 0, run)
    return run.folder, folder


@pytest.fixture(scope="module")
def kept(prepare: Prepare, new_run: NewRun, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(prepare, new_run, tmp_path_factory.mktemp("kept"), {"count": 3})


@pytest.fixture(scope="module")
def never(prepare: Prepare, new_run: NewRun, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same training without any canary in the data."""
    return trained(prepare, new_run, tmp_path_factory.mktemp("never"), {"count": 40, "repetitions": 0})


def hunt(kind: str, made: Trained, **fields: Any) -> tuple[dict[str, Row], Measures]:
    attack = ATTACKS.parse({"kind": kind, **fields})
    assert isinstance(attack, Attack)
    found = attack.measure(made[0], {}, made[1], 0, Told())
    return {row.name.removeprefix("privacy/canary/"): row for row in found.rows}, found


def loss_of(found: Hunted, number: int, secret: tuple[str, ...]) -> float:
    """The slow twin: one record, one pass."""
    canary = found.canaries[number]
    record = canary.record(secret)
    ids = found.loaded.encoder.encode_words([record["tokens"]])[0][0]
    length = torch.arange(len(ids)).unsqueeze(0)
    with torch.no_grad():
        logits = found.loaded.network(torch.tensor([ids]), torch.ones_like(length, dtype=torch.bool), length)
    tags = torch.tensor([[found.loaded.shape.slots.index(tag) for tag in record["slots"]]])
    return float(
        per_example_loss(
            {name: value.double() for name, value in logits.items()},
            {"labels": torch.tensor([found.loaded.shape.labels.index(record["label"])]), "slots": tags},
        )
    )


def test_every_candidate_is_asked_about_as_it_would_be_alone(kept: Trained) -> None:
    found = hunted(*kept, "cpu")
    every = found.every_secret()
    assert every == list(product("0123456789", repeat=3)) and len(found.canaries) == 3
    losses = found.losses(found.canaries[1], every)
    for place in (0, 407, 999):
        assert losses[place] == pytest.approx(loss_of(found, 1, every[place]), rel=1e-5)


def test_exposure_is_the_rank_of_the_secret_in_bits(kept: Trained) -> None:
    rows, measures = hunt("canary-exposure", kept)
    found = hunted(*kept, "cpu")
    expected = []
    for number, secret in enumerate(found.secrets):
        losses = [loss_of(found, number, candidate) for candidate in found.every_secret()]
        expected.append(math.log2(1000) - math.log2(1 + sum(loss < loss_of(found, number, secret) for loss in losses)))
    assert measures.items["exposure"] == pytest.approx(expected, abs=0.05)
    assert rows["exposure"].value == pytest.approx(np.mean(expected), abs=0.05) and rows["exposure"].value > 6  # type: ignore[operator]
    assert rows["highest_exposure"].value == pytest.approx(max(expected), abs=0.05)
    assert (rows["exposure"].n, rows["exposure"].highest) == (3, math.log2(1000))
    assert rows["exposure"].conditions == {"secret": "3 of 10 symbols", "candidates": "all candidates"}


def test_ties_give_nothing_away() -> None:
    assert rank(np.zeros(1000), 17) == 500.5
    assert rank(np.array([3.0, 1.0, 2.0]), 1) == 1 and rank(np.array([3.0, 1.0, 1.0]), 2) == 1.5


def test_without_repetitions_nothing_is_found_but_by_chance(never: Trained) -> None:
    """40 canaries: exposure of chance is exponential with mean 1 / ln 2 but for the grid; symbols are right one time in ten."""
    rows, measures = hunt("canary-exposure", never)
    shares = 2.0 ** -np.array(measures.items["exposure"])
    assert stats.kstest(shares, "uniform").pvalue > 1e-6
    rows, _ = hunt("canary-inversion", never, steps=100, patience=20, restarts=2)
    assert rows["exact_match"].value is not None and rows["exact_match"].value <= 0.1
    assert rows["hamming"].value is not None and stats.binomtest(round(120 * rows["hamming"].value), 120, 0.9).pvalue > 1e-6
    rows, _ = hunt("canary-completion", never)
    assert rows["completion_hamming"].value is not None and stats.binomtest(round(120 * rows["completion_hamming"].value), 120, 0.9).pvalue > 1e-6


def test_inversion_finds_what_enumeration_finds(kept: Trained) -> None:
    rows, measures = hunt("canary-inversion", kept)
    assert rows["finds_likeliest"].value == 1.0
    assert rows["exact_match"].value is not None and rows["exact_match"].value >= 2 / 3
    assert rows["exact_match"].conditions == {"secret": "3 of 10 symbols", "chance": "0.001"}
    assert rows["hamming"].conditions["chance"] == "0.9" and rows["hamming"].direction == "higher"
    exposure = hunt("canary-exposure", kept)[1].items["exposure"]
    most = [float(bits == pytest.approx(math.log2(1000))) for bits in exposure]
    assert list(measures.items["exact"]) == most  # what is likeliest is the secret, or is not


@pytest.mark.parametrize("kind", ["digits", "colours"])
def test_an_intent_classifier_is_inverted_too(kind: str, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    """By the cross-entropy of the canary's intent alone."""
    pattern = "colour" if kind == "colours" else "call"
    made = trained(prepare, new_run, tmp_path / kind, {"kind": kind, "pattern": pattern, "length": 2}, {**DATA, "task": "intent"})
    rows, _ = hunt("canary-inversion", made)
    assert rows["finds_likeliest"].value == 1.0 and rows["hamming"].value is not None


def test_inversion_in_the_whole_vocabulary_is_harder_and_reads_tokens_back(kept: Trained) -> None:
    rows, measures = hunt("canary-inversion", kept, vocabulary="full", restarts=4)
    assert 0 <= (rows["exact_match"].value or 0.0) <= 1 and set(measures.items) == {"id", "cluster", "exact", "wrong", "likeliest"}


def test_inversion_does_not_look_at_the_secret(kept: Trained, tmp_path: Path) -> None:
    """Other secrets in the list, the same model: the same guesses, now wrong."""
    other = tmp_path / "other"
    other.mkdir()
    for path in kept[1].iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    listed = pd.read_parquet(other / "canaries.parquet")
    listed.assign(secret=["0 0 0", "9 9 9", "1 2 3"]).to_parquet(other / "canaries.parquet")
    for kind in ("canary-inversion", "canary-completion"):
        rows, _ = hunt(kind, (kept[0], other))
        name = "exact_match" if kind == "canary-inversion" else "completion_exact_match"
        assert rows[name].value == 0.0


def test_completion_finds_the_secret_from_left_to_right(kept: Trained) -> None:
    rows, _ = hunt("canary-completion", kept, beam=1000)
    assert (rows["completion_exact_match"].value or 0) >= 2 / 3  # with so wide a beam every candidate is compared
    greedy, _ = hunt("canary-completion", kept, beam=1)
    assert greedy["completion_hamming"].value is not None and greedy["completion_hamming"].value < 0.9


def test_a_language_model_completes_what_it_has_read(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    model = {"kind": "gpt2", "layers": 1, "hidden_size": 32, "heads": 2, "dropout": 0.0, "tokenizer": {"kind": "bytes", "max_tokens": 64}}
    made = trained(
        prepare,
        new_run,
        tmp_path / "lm",
        {"repetitions": 150},
        {**DATA, "task": "lm"},
        model,
        {**TRAINING, "optimizer": {"kind": "adamw", "learning_rate": 0.004}},
    )
    assert hunt("canary-completion", made)[0]["completion_exact_match"].value == 1.0
    assert (hunt("canary-exposure", made)[0]["exposure"].value or 0) > 9


def test_a_model_without_word_vectors_is_not_inverted(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    made = trained(prepare, new_run, tmp_path / "linear", {"repetitions": 5}, {**DATA, "task": "intent"}, {"kind": "linear"})
    with pytest.raises(ModelError, match="canary-completion"):
        hunt("canary-inversion", made)
    assert (hunt("canary-exposure", made)[0]["exposure"].value or 0) > 0


def test_the_estimate_agrees_with_the_exact_exposure() -> None:
    """Losses of a skew normal, whose true shares are known: within a third of a bit where the sample counts, a bit and a half beyond it."""
    law = stats.skewnorm(4.0)
    losses = law.rvs(20_000, random_state=np.random.default_rng(0))
    for bits, slack in ((1, 0.1), (4, 0.2), (8, 0.34), (14, 1.0), (18, 1.5)):
        assert bits_of(float(law.ppf(2.0**-bits)), losses, 10**8) == pytest.approx(bits, abs=slack)
    assert bits_of(-1e3, losses, 10**8) <= math.log2(10**8) and bits_of(1e3, losses, 10**8) == 0.0
    assert bits_of(0.0, np.zeros(100), 10**8) == 1.0  # a model that knows nothing


def test_many_candidates_are_sampled(kept: Trained, prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    made = trained(prepare, new_run, tmp_path / "long", {"length": 6})
    rows, _ = hunt("canary-exposure", made, sample=2000)
    assert rows["exposure"].conditions["candidates"] == "estimated from 2000" and rows["exposure"].highest == pytest.approx(math.log2(10**6))
    assert (rows["exposure"].value or 0) > 6


def test_intervals_are_exact_for_shares_and_students_for_numbers() -> None:
    assert interval_of([1.0] * 5 + [0.0] * 5, (0, 1), share=True) == pytest.approx((0.5, 0.187, 0.813), abs=1e-3)
    mean, low, high = interval_of([1.0, 2.0, 3.0], (0, 10), share=False)
    assert (mean, low, high) == pytest.approx((2.0, 0.0, 2 + stats.t.ppf(0.975, 2) / math.sqrt(3)), abs=1e-6)
    assert interval_of([4.0], (0, 10), share=False) == (4.0, None, None)


def test_items_name_canaries_and_no_secret(kept: Trained, tmp_path: Path) -> None:
    for kind in ("canary-exposure", "canary-completion", "canary-inversion"):
        _, measures = hunt(kind, kept)
        measures.save(tmp_path)
        secrets = pd.read_parquet(kept[1] / "canaries.parquet")["secret"]
        held = (tmp_path / "measures.json").read_text() + str({name: list(column) for name, column in measures.items.items()})
        assert not any(secret in held or secret.replace(" ", "") in held for secret in secrets)
