"""Extractability of groups as a metric: which records it asks of, real encoders that learnt groups, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tasks.core.measures import Measures, PreparedOther, Row
from tasks.fairness._mdl import Chosen, chosen
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.mdl_extractability import MdlExtractability
from tasks.models.artifact import save_model
from tasks.models.batches import network_inputs
from tasks.models.model import MODELS, Started, TaskShape
from tasks.models.probing import Probe
from tests.conftest import Prepare
from tests.fairness.fakes import TINY, by_name, fair, held

GRAMMAR = {"kind": "synthetic-stereotypes", "task": "intent", "examples": 800}


def metric(**fields: Any) -> MdlExtractability:
    found = FAIRNESS.parse({"kind": "mdl-extractability", **fields})
    assert isinstance(found, MdlExtractability)
    return found


def rows(measures: Measures) -> dict[str, Row]:
    return by_name(measures, "mdl_extractability")


def table(groups: Sequence[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"r{place}" for place in range(len(groups))], "text": "t", "group": pd.Series(list(groups), dtype=object)})


def test_records_of_one_group_are_balanced_by_coins_that_ask_for_nothing_but_the_record() -> None:
    records = table(["a"] * 50 + ["b"] * 80 + ["a|b"] * 7 + [None] * 5 + ["c"] * 10)
    found = chosen(records, (), 2000, 30)
    assert isinstance(found, Chosen) and found.names == ("a", "b")
    assert np.bincount(found.groups).tolist() == [50, 50] and found.records["group"].map(("a", "b").index).tolist() == found.groups.tolist()
    assert found.why == "too few records: c (10); excluded: 22 records of none, several or other groups, 30 to balance the groups"
    again = chosen(records.sample(frac=1, random_state=0), (), 2000, 30)
    assert isinstance(again, Chosen) and set(again.records["id"]) == set(found.records["id"])
    fewer = chosen(records, ("b", "a"), 61, 30)
    assert isinstance(fewer, Chosen) and len(fewer.records) == 60 and set(fewer.records["id"]) < set(found.records["id"])


@pytest.mark.parametrize(
    ("groups", "examples", "why"),
    [
        (("a", "c"), 2000, "too few records: c (10)"),
        (("a", "none"), 2000, "too few records: none (0)"),
        (("a",), 2000, "fewer than two groups"),
        ((), 59, "59 examples are 29 of each of 2 groups, and 30 are needed"),
    ],
)
def test_too_few_records_are_no_evidence(groups: tuple[str, ...], examples: int, why: str) -> None:
    assert chosen(table(["a"] * 50 + ["b"] * 80 + ["c"] * 10), groups, examples, 30) == why


def test_needs_follow_from_the_data() -> None:
    assert metric().needs({}) == () and metric().reads_own_data
    other = metric(data=GRAMMAR)
    (need,) = other.needs({})
    assert isinstance(need, PreparedOther) and need.label == "probe" and not other.reads_own_data
    with pytest.raises(ValueError, match="name no groups"):
        metric(data={"kind": "wikitext-2"})
    with pytest.raises(ValueError, match="hidden_size is that of the tanh probe"):
        metric(hidden_size=3)


def encoder(folder: Path) -> tuple[Started, TaskShape]:
    """A small network with its tokenizer, untrained."""
    model: Any = MODELS.parse({"kind": "bert", **TINY, "tokenizer": {"kind": "bytes", "max_tokens": 80}})
    shape = TaskShape("intent", ("female", "male"))
    return model.start(shape, {}, 5), shape


def saved(folder: Path, started: Started, shape: TaskShape) -> Path:
    folder.mkdir()
    save_model(folder, started, shape, {}, {})
    return folder


def train(started: Started, texts: list[str], labels: list[int], steps: int = 150) -> None:
    """On the groups themselves."""
    probe = Probe(type("Loaded", (), {"encoder": started.encoder, "network": started.network, "shape": TaskShape("intent", ("female", "male"))})())
    encoded, wanted = probe.encode(texts), torch.tensor(labels)
    optimizer = torch.optim.Adam(started.network.parameters(), lr=0.01)
    started.network.train()
    for step in range(steps):
        batch = torch.randint(len(texts), (64,), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.cross_entropy(started.network(**network_inputs(encoded.batch(batch, "cpu")))["intent"], wanted[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    started.network.eval()


def test_an_encoder_that_learnt_groups_gives_them_away_and_one_with_equal_states_does_not(tmp_path: Path, prepare: Prepare) -> None:
    data = prepare(GRAMMAR)
    records = data.split("train")
    started, shape = encoder(tmp_path)
    folders = [saved(tmp_path / "untrained", started, shape)]
    train(started, records["text"].tolist(), (records["group"] == "male").astype(int).tolist())
    folders.append(saved(tmp_path / "trained", started, shape))
    for weight in started.network.parameters():
        weight.data.zero_()
    folders.append(saved(tmp_path / "nothing", started, shape))
    asked = metric(data=GRAMMAR, split="train", orders=3, examples=400)
    untrained, trained, nothing = (rows(asked.measure(folder, {"data/probe": data.folder}, tmp_path / "unread", 0, None)) for folder in folders)
    assert held(trained["score"])[0] > held(untrained["score"])[1] and fair(trained["score"]) > 3
    assert fair(nothing["score"]) == pytest.approx(1.0, abs=0.02) and fair(nothing["accuracy/score"]) < 0.65
    for found in (untrained, trained, nothing):
        assert fair(found["control/score"]) < 400 / 380
    own = metric(split="train", orders=3, examples=400).measure(folders[1], {}, data.folder, 0, None)
    assert fair(rows(own)["score"]) == fair(trained["score"])
    assert set(own.items["id"]) <= set(records["id"]) and len(own.items["id"]) == 400


def test_what_cannot_be_told_says_why(tmp_path: Path, prepare: Prepare) -> None:
    started, shape = encoder(tmp_path)
    folder = saved(tmp_path / "model", started, shape)
    grammar, plain = prepare(GRAMMAR), prepare({"kind": "synthetic-stereotypes", "task": "mlm", "examples": 100})

    def said(data: Path, **fields: Any) -> tuple[str, str]:
        (row,) = metric(**fields).measure(folder, {}, data, 0, None).rows
        assert row.name == "fairness/mdl_extractability/score" and row.value is None
        return row.status, str(row.reason)

    assert said(plain.folder) == ("unsupported", "the records have no group")
    assert said(grammar.folder, split="validation") == ("unsupported", "the data has no split 'validation'")
    assert said(grammar.folder, minimum=1000)[0] == "insufficient_evidence"
    for weight in started.network.parameters():
        weight.data.fill_(torch.nan)
    folder = saved(tmp_path / "diverged", started, shape)
    assert said(grammar.folder) == ("undefined", "the model's states are not finite")
