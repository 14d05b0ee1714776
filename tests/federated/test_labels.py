"""Labels that devices make: those of a slow twin, the same in both layouts, and never those that only the data knows."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tasks.federated.label_quality import self_label_rows
from tasks.federated.labelling import Labelling, blanked, self_labelled
from tasks.federated.labels import LABELS, Labels
from tasks.federated.local import Work
from tasks.federated.rounds import Rounds
from tasks.federated.sequential import Sequential
from tasks.federated.stacked import Stacked
from tasks.models.batches import Encoded, network_inputs
from tasks.models.masking import IGNORED
from tests.federated.layouts import jobs, started, trained, work
from tests.federated.trained import RECORDS, encoded, owners, training, weights

SELF = {"kind": "self-training", "labelled": 0.3, "threshold": 0.4}


def labels(**block: Any) -> Labels:
    found = LABELS.parse(block)
    assert isinstance(found, Labels)
    return found


def labelling(data: Encoded, **block: Any) -> Labelling | None:
    return Labelling.of(labels(**block), [f"r{index}" for index in range(int(data.records.max()) + 1)], data, 0)


def planted(folder: Path, block: dict[str, Any], data: Encoded, layout: str = "sequential", **changes: Any) -> Rounds:
    """A training on some data whose labels come from where the block says."""
    rounds = training(folder, layout=layout, **changes)
    found = labelling(data, **block)
    held = data if found is None else blanked(data, found)
    rounds.work = replace(rounds.work, encoded=held, labelling=found)
    rounds.layout = Sequential(rounds.work) if layout == "sequential" else Stacked(rounds.work, 3)
    return rounds


def with_wrong_labels(data: Encoded, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Encoded:
    assert data.labels is not None
    return replace(data, labels=torch.where(torch.from_numpy(where), (data.labels + 1) % 3, data.labels))


def test_a_coin_per_record_decides_and_only_the_seed_and_the_record_decide_the_coin() -> None:
    """20,000 records, within 5 standard deviations: false alarm 6e-7."""
    ids = [f"r{index}" for index in range(20_000)]
    some, other = labels(kind="confirmed", labelled=0.2), labels(kind="self-training", labelled=0.2, threshold=0.1)
    coins = np.array([some.is_confirmed(record, 3) for record in ids])
    assert abs(coins.mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / len(ids))
    assert coins.tolist() == [other.is_confirmed(record, 3) for record in ids], "all arms of a seed know the same labels"
    assert coins.tolist() != [some.is_confirmed(record, 4) for record in ids]


@pytest.mark.parametrize("layout", ["sequential", "stacked"])
@pytest.mark.parametrize("block", [{"kind": "confirmed", "labelled": 0.3}, {**SELF, "warm_up": 2}])
def test_the_label_of_an_unconfirmed_record_is_never_read(block: dict[str, Any], layout: str, tmp_path: Path) -> None:
    """Wrong labels on all unconfirmed records change no bit of the model; where the data's labels are used, they do."""
    found = labelling(encoded(), **block)
    assert found is not None
    wrong = with_wrong_labels(encoded(), ~found.confirmed)
    models: dict[str, list[dict[str, torch.Tensor]]] = {}
    for name, source in (("few", block), ("given", {"kind": "given"})):
        for label, data in (("right", encoded()), ("wrong", wrong)):
            rounds = planted(tmp_path / name / label, source, data, layout)
            rounds.run()
            models.setdefault(name, []).append(weights(rounds))
    equal = {name: all(torch.equal(one[key], other[key]) for key in one) for name, (one, other) in models.items()}
    assert equal == {"few": True, "given": False}


@pytest.mark.parametrize("model", ["linear", "bilstm"])
def test_devices_keep_and_write_what_a_slow_twin_does(model: str) -> None:
    """One record at a time on a copy of the network: the intent by its probability, tags by the least probability of a word."""
    made, data = started(model)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    if data.slots is not None:
        data = replace(data, words=torch.where(data.slots == IGNORED, -1, 0))
    found = labelling(data, kind="self-training", labelled=0.3, threshold=0.5)
    assert found is not None
    shared = replace(work(made, blanked(data, found)), labelling=found)
    twin = copy.deepcopy(made.network).eval()
    kept_rows = 0
    for job in jobs(shared.client):
        after = self_labelled(shared, job)
        expected = []
        for row in job.rows.tolist():
            if found.confirmed[row]:
                expected.append(row)
                continue
            with torch.no_grad():
                logits = twin(**network_inputs(data.batch([row])))
            answers = [logits["intent"][0], *(logits["slots"][0, place] for place in ([] if data.words is None else (data.words[row] >= 0).nonzero()[:, 0]))]
            if min(float(answer.softmax(dim=-1).max()) for answer in answers) >= 0.5:
                expected.append(row)
                kept_rows += 1
                assert shared.encoded.labels is not None and int(shared.encoded.labels[row]) == int(logits["intent"][0].argmax())
                if data.words is not None and shared.encoded.slots is not None:
                    words = data.words[row] >= 0
                    assert shared.encoded.slots[row][words].tolist() == [int(answer.argmax()) for answer in answers[1:]]
                    assert (shared.encoded.slots[row][~words] == IGNORED).all()
        assert after.rows.tolist() == expected and after.seed == job.seed
    assert 0 < kept_rows < len(data)


def test_both_layouts_label_alike() -> None:
    made, data = started("linear")
    found = labelling(data, **SELF)
    assert found is not None
    shared = replace(work(made, blanked(data, found), optimizer={"kind": "sgd", "learning_rate": 0.3}), labelling=found)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    given = jobs(shared.client)
    (one, told), (other, again) = trained(Sequential(shared), given), trained(Stacked(shared, 2), given)
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 2e-5
    assert np.allclose(told.mean_loss, again.mean_loss, atol=1e-4, equal_nan=True)


def test_a_device_without_a_label_hands_over_nothing() -> None:
    made, data = started("linear")
    confirmed = np.ones(len(data), dtype=np.bool_)
    mine = jobs(work(made, data).client)[0]
    confirmed[mine.rows] = False
    found = Labelling(confirmed, 1.0)
    shared = replace(work(made, blanked(data, found)), labelling=found)
    for layout in (Sequential(shared), Stacked(shared, 2)):
        update, outcomes = trained(layout, [mine])
        assert not any(tensor.any() for tensor in update.values()) and np.isnan(outcomes.mean_loss).all() and outcomes.answered.all()


def test_devices_wait_until_the_warm_up_is_over(tmp_path: Path) -> None:
    rounds = planted(tmp_path, {**SELF, "warm_up": 2}, encoded())
    found = rounds.work.labelling
    assert found is not None
    for number in range(4):
        for client in range(5):
            rounds.view(number)
            job = rounds._job(client, number)
            whole = rounds._held.rows(client)
            assert job.rows.tolist() == (whole[found.confirmed[whole]] if number < 2 else whole).tolist()


def test_killed_and_resumed_devices_make_the_same_labels(tmp_path: Path) -> None:
    """What was written in an earlier round is never read again, so nothing of it needs to be kept."""
    whole = planted(tmp_path / "whole", SELF, encoded())
    whole.run()
    first = planted(tmp_path / "killed", SELF, encoded(), rounds=9)
    first.checkpoint_seconds = 0.0
    first.federation = first.federation.model_copy(update={"rounds": 5})
    first.run()
    second = planted(tmp_path / "killed", SELF, encoded())
    second.run()
    assert all(torch.equal(weights(whole)[name], tensor) for name, tensor in weights(second).items())


def test_the_share_that_is_kept_and_its_accuracy_are_those_of_a_count(tmp_path: Path) -> None:
    rounds = planted(tmp_path, SELF, encoded(), rounds=9)
    rounds.run()
    data, shared = encoded(), rounds.work
    kept, accuracy = self_label_rows(shared, data, owners(), 0)
    shared.network.eval().requires_grad_(False)
    probability, label = shared.network(**network_inputs(data.batch(torch.arange(RECORDS))))["intent"].softmax(dim=-1).max(dim=-1)
    assert shared.labelling is not None and data.labels is not None
    unconfirmed = torch.from_numpy(~shared.labelling.confirmed)
    sure = unconfirmed & (probability >= 0.4)
    assert kept.value == pytest.approx(float(sure.sum() / unconfirmed.sum())) and kept.n == int(unconfirmed.sum())
    assert accuracy.value == pytest.approx(float((label == data.labels)[sure].float().mean()))
    assert accuracy.low is not None and "evaluation only" in accuracy.conditions["protocol"]
    assert not self_label_rows(Work(shared.network, data, shared.client, "cpu", shared.trained), data, owners(), 0)
