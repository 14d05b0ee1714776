"""Learning on role reversals: they are examples of their text's record, and what a training learns of two groups is evened out."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tasks.core.errors import UserError
from tasks.core.measures import Measures
from tasks.data.prepared import PreparedData
from tasks.federated.evaluation import EVALUATIONS
from tasks.federated.federation import Federation
from tasks.federated.holdings import Holdings
from tasks.federated.labels import LABELS as SOURCES
from tasks.federated.partition import PARTITIONS, Partition
from tasks.federated.partitioning import stream_of, write_population
from tasks.federated.population import Population
from tasks.federated.steps import FederateConfig, federate
from tasks.federated.timeline import TIMELINES, Timeline
from tasks.models.batches import Encoded, encode_split
from tasks.models.model import MODELS, Started, TaskShape
from tasks.models.probing import Probe
from tasks.privacy.privacy import no_privacy
from tasks.privacy.sampler import Examples, Schedule
from tasks.privacy.samplers._batches import PoissonBatches
from tasks.training.augmentation import Augmentation, encode_augmented
from tasks.training.steps import TrainConfig, train
from tasks.training.trainer import Trainer
from tests.conftest import NewRun, Prepare
from tests.specs.given import refused
from tests.training import private
from tests.training.gaps import PLANTED, SHORT, gap, trained
from tests.training.trainings import ADAMW, BILSTM, GPT2, LINEAR, equal, loop, weights

BYTES = {"kind": "bytes", "max_tokens": 16}
KINDS: dict[str, dict[str, Any]] = {
    "intent": {**BILSTM, "tokenizer": BYTES},
    "lm": {**GPT2, "tokenizer": BYTES},
    "mlm": {"kind": "bert", "layers": 1, "hidden_size": 16, "heads": 2, "tokenizer": BYTES},
}
PAIRS = {
    "the nurse said she was tall": "the nurse said he was tall",
    "it rains on monday": None,
    "he gave his wife a book": "she gave her husband a book",
    "she saw her duck": None,  # of one word, of two: no reversal
    "my brother is late": "my sister is late",
}
LABELS = ("a", "b", "a", "b", "b")
RECORDS = pd.DataFrame({"id": list("vwxyz"), "text": list(PAIRS), "label": LABELS})


def begun(task: str) -> tuple[Started, TaskShape]:
    shape = TaskShape(task, ("a", "b") if task == "intent" else ())
    return MODELS.parse(KINDS[task]).start(shape, {}, 0), shape  # type: ignore[attr-defined]


def rows(encoded: Encoded) -> list[tuple[int, list[int], int | None]]:
    """Record, ids and label of each example, without padding."""
    labels = [None] * len(encoded) if encoded.labels is None else encoded.labels.tolist()
    ids = [row[:length].tolist() for row, length in zip(encoded.ids, encoded.lengths.tolist(), strict=True)]
    return list(zip(encoded.records.tolist(), ids, labels, strict=True))


@pytest.mark.parametrize("sides", ["two", "one"])
@pytest.mark.parametrize("task", sorted(KINDS))
def test_the_examples_are_those_of_hand_made_texts(task: str, sides: str) -> None:
    """One text at a time; where a text has several windows, its own stand before those of its reversal."""
    started, shape = begun(task)
    found, counts = encode_augmented(RECORDS, started.encoder, shape, Augmentation.model_validate({"sides": sides}))
    expected = []
    for record, (text, reversal) in enumerate(PAIRS.items()):
        own = [text] if reversal is None else [text, reversal] if sides == "two" else [reversal]
        for one in own:
            alone = encode_split(pd.DataFrame({"text": [one], "label": [LABELS[record]]}), started.encoder, shape)
            expected += [(record, ids, label) for _, ids, label in rows(alone)]
    assert rows(found) == expected and (found.masking is None) is (task != "mlm")
    assert (counts.gendered, counts.reversed) == (4, 3)
    assert task == "intent" or max(torch.bincount(found.records)) > 1 + (sides == "two"), "a text has several windows"


@pytest.mark.parametrize("task", sorted(KINDS))
def test_the_examples_of_a_record_stand_together_and_its_own_come_first(task: str, prepare: Prepare) -> None:
    records = prepare({"kind": "synthetic-stereotypes", "task": task, "examples": 200}).split("train")
    started, shape = begun(task)
    shape = TaskShape(task, tuple(sorted(set(records["label"]))) if task == "intent" else ())
    plain = encode_split(records, started.encoder, shape)
    found, counts = encode_augmented(records, started.encoder, shape, Augmentation())
    assert [record for record, _ in groupby(found.records.tolist())] == list(range(len(records)))
    of_record: dict[int, list[Any]] = {}
    for record, *rest in rows(found):
        of_record.setdefault(record, []).append(rest)
    for record in range(len(records)):
        own = [rest for owner, *rest in rows(plain) if owner == record]
        assert of_record[record][: len(own)] == own
    assert sum(len(examples) for examples in of_record.values()) > len(plain) and 0 < counts.reversed <= counts.gendered <= len(records)


def drawn_twice(records: Tensor, batches: PoissonBatches, steps: int) -> int:
    """Steps that drew two examples of one record."""
    return sum(len(set(records[batches[step]].tolist())) < len(batches[step]) for step in range(steps))


def test_a_private_step_draws_at_most_one_example_of_a_record(prepare: Prepare, new_run: NewRun) -> None:
    """The records drawn are those that are drawn without reversals. Positive control: examples as records of their own are drawn together."""
    data = prepare({**PLANTED, "examples": 150, "public_size": 120})
    asked: tuple[dict[str, Any], ...] = ({}, {"augmentation": {"sides": "two"}})
    settings = [private.config(LINEAR, "opacus-ghost", training={"epochs": 6, **given}) for given in asked]
    (account, plain, drawn, _), (_, augmented, other, _) = (private.begun(config, data, new_run()) for config in settings)
    assert len(augmented.encoded) == 2 * len(plain.encoded)
    records, sides = augmented.encoded.records, set()
    for step in range(60):
        assert records[other.batches[step]].tolist() == drawn.batches[step].tolist()
        sides |= {int(example) % 2 for example in other.batches[step]}
    assert isinstance(account.schedule, Schedule)
    assert sides == {0, 1} and isinstance(other.batches, PoissonBatches) and not drawn_twice(records, other.batches, 60)
    assert drawn_twice(records, PoissonBatches(Examples(torch.arange(len(records))), account.schedule, 5), 60)


def test_without_augmentation_a_training_is_what_it_was(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    """To the last bit, against a loop of the parts as they were; with it, it is another."""
    data, found = prepare({**PLANTED, "examples": 100}), {}
    settings: dict[str, Any] = {"epochs": 1, "expected_batch_size": 16, "optimizer": ADAMW, "precision": "fp32"}
    asked: dict[str, dict[str, Any]] = {"absent": {}, "none": {"augmentation": None, "pairing": None}, "two": {"augmentation": {}}}
    for name, given in asked.items():
        config = TrainConfig.model_validate({"model": BILSTM, "training": {**settings, **given}, "privacy": {"kind": "none"}, "randomness": "reproducible"})
        run = new_run()
        found[name] = weights(Trainer({}, data, None, 3).train(config, 3, run, run.checkpoint).started.network)
    before = loop(data, BILSTM, settings, tmp_path)
    before.run()
    assert equal(found["none"], weights(before.network)) and equal(found["absent"], found["none"]) and not equal(found["two"], found["none"])


def test_the_share_of_texts_that_were_reversed_is_told_of_what_is_not_private(prepare: Prepare, new_run: NewRun) -> None:
    data = prepare({**PLANTED, "examples": 100, "public_size": 80})
    (row,) = (row for row in Measures.load_rows(trained(data, new_run, augmentation={}, epochs=1)) if row.name == "train/texts_reversed")
    assert (row.value, row.n) == (1.0, len(data.split("train")))
    run = new_run()
    train(private.config(LINEAR, "opacus-ghost", training={"augmentation": {}}), {"data": data.folder}, 0, run)
    assert not [row for row in Measures.load_rows(run.folder) if row.name.startswith("train/")]


@pytest.fixture(scope="module")
def biased(prepare: Prepare) -> PreparedData:
    return prepare(PLANTED)


@pytest.fixture(scope="module")
def plain(biased: PreparedData, new_run: NewRun) -> Path:
    """A model of the texts as they are."""
    return trained(biased, new_run)


def test_two_sides_even_out_what_was_planted(biased: PreparedData, plain: Path, new_run: NewRun) -> None:
    """As many steps of either; without reversals the gap is most of what was planted."""
    assert gap(plain, biased) > 0.3 and gap(trained(biased, new_run, augmentation={}, epochs=SHORT / 2), biased) < 0.08


def test_one_side_turns_what_was_planted_round(biased: PreparedData, plain: Path, new_run: NewRun) -> None:
    """It exchanges the groups: the gap is as large, and the other way."""

    def difference(folder: Path) -> float:
        she, he = (Probe.open(folder).classify([f"{who} is very tall"])[0] for who in ("she", "he"))
        return float(she[1] - he[1])

    assert difference(plain) > 0.2 and difference(trained(biased, new_run, augmentation={"sides": "one"})) < -0.2


def test_a_task_whose_answers_belong_to_words_is_refused(prepare: Prepare, new_run: NewRun, tmp_path: Path) -> None:
    data = prepare({"kind": "synthetic-assistant", "task": "joint", "examples": 100})
    with pytest.raises(UserError, match="the answers of task 'joint' belong to words"):
        trained(data, new_run, BILSTM, augmentation={})
    head = "name: x\ndata: {kind: synthetic-assistant, examples: 100, task: joint}\nmodel: {kind: bilstm}\n"
    (found,) = refused(tmp_path, f"kind: dp-training\n{head}training: {{augmentation: {{}}}}\n")
    assert (found.line, found.path) == (5, "training.augmentation") and found.message.endswith("[TRAIN-01]")
    (found,) = refused(tmp_path, f"kind: fl-selection\n{head}partition: {{kind: iid, devices: 4}}\nfederation: {{client: {{augmentation: {{}}}}}}\n")
    assert (found.line, found.path) == (6, "federation.client.augmentation") and found.message.endswith("[TRAIN-02]")


def test_a_student_is_told_where_its_reversals_are_asked_for(tmp_path: Path) -> None:
    head = "kind: debiased-distillation\nname: x\ndata: {kind: synthetic-stereotypes, task: lm}\n"
    models = "teacher: {kind: gpt2}\nstudent: {kind: gpt2}\n"
    (found,) = refused(tmp_path, f"{head}{models}training: {{augmentation: {{}}}}\nteacher_training: {{augmentation: {{}}}}\n")
    assert (found.line, found.path) == (6, "training.augmentation") and found.message.endswith("[TRAIN-03]")


def dealt(data: PreparedData, folder: Path) -> tuple[Partition, Timeline]:
    partition, timeline = PARTITIONS.parse({"kind": "iid", "devices": 8}), TIMELINES.parse({"kind": "static"})
    assert isinstance(partition, Partition) and isinstance(timeline, Timeline)
    folder.mkdir()
    write_population(partition, timeline, data, 0, folder)
    return partition, timeline


def test_a_device_holds_its_texts_with_their_reversals(prepare: Prepare, tmp_path: Path) -> None:
    data = prepare({**PLANTED, "examples": 120})
    _, timeline = dealt(data, tmp_path / "population")
    population = Population.load(tmp_path / "population")
    started, shape = begun("intent")[0], TaskShape("intent", data.labels)
    encoded, _ = encode_augmented(data.split("train"), started.encoder, shape, Augmentation())
    held = Holdings(stream_of(population, data.split("train")), encoded.records.numpy(), timeline, 0).at(0)
    for client in range(8):
        (own,) = np.nonzero(population.train == client)
        assert held.rows(client).tolist() == [example for record in own for example in (2 * record, 2 * record + 1)] and held.activity[client] == len(own) > 0


def test_devices_that_augment_even_out_what_was_planted(biased: PreparedData, new_run: NewRun, tmp_path: Path) -> None:
    dealt(biased, tmp_path / "population")
    inputs, found = {"data": biased.folder, "population": tmp_path / "population"}, []
    for given in (None, {"sides": "two"}):
        client = {"epochs": 2, "augmentation": given, "optimizer": {"kind": "sgd", "learning_rate": 2.0}}
        federation = {"rounds": 12, "cohort_size": 8, "client": client, "engine": {"kind": "in-process", "layout": "sequential"}}
        config = FederateConfig(
            model=MODELS.parse(LINEAR),
            federation=Federation.model_validate(federation),
            labels=SOURCES.parse({"kind": "given"}),
            privacy=no_privacy(),
            randomness="reproducible",
            unit="device",
            evaluation=EVALUATIONS.parse({"kind": "central", "every": 12}),
            metric={"kind": "accuracy"},
        )
        run = new_run()
        federate(config, inputs, 0, run)
        found.append((gap(run.folder, biased), [row.name for row in Measures.load_rows(run.folder) if row.name.startswith("train/")]))
    (as_it_is, none), (augmented, told) = found
    assert as_it_is > 0.25 and augmented < 0.07 and none == [] and told == ["train/texts_reversed"]
