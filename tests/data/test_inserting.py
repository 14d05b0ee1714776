"""Inserting into prepared data: canaries with their answers and repetitions, and records made for audits, each in or out by a fair coin."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from tasks.data.audit_records import AuditRecords
from tasks.data.canary import CANARIES, Canaries
from tasks.data.dataset import DataError
from tasks.data.inserting import write_inserted
from tasks.data.insertion import Insertion, is_inserted
from tasks.data.prepared import PreparedData
from tests.conftest import Prepare

FALSE_ALARM = 1e-6
DATA = {"kind": "synthetic-assistant", "examples": 400, "users": 20, "intents": 4}


def canaries(**fields: Any) -> Canaries:
    found = CANARIES.parse({"kind": "digits", **fields})
    assert isinstance(found, Canaries)
    return found


def put(insertion: Insertion, prepared: PreparedData, folder: Path, seed: int = 0) -> PreparedData:
    folder.mkdir(parents=True, exist_ok=True)
    write_inserted(insertion, prepared, seed, folder)
    return PreparedData(folder)


@pytest.fixture(scope="module")
def joint(prepare: Prepare) -> PreparedData:
    return prepare({**DATA, "task": "joint"})


def test_each_canary_stands_in_the_training_data_as_often_as_asked(joint: PreparedData, tmp_path: Path) -> None:
    found = put(canaries(repetitions=7, count=3), joint, tmp_path)
    train, added = found.split("train"), found.split("train")[is_inserted(found.split("train"))]
    assert len(train) == len(joint.split("train")) + 21 and train["id"].is_unique
    assert Counter(added["text"]) == Counter(dict.fromkeys(found.split("canaries")["text"], 7))
    pd.testing.assert_frame_equal(train[~is_inserted(train)], joint.split("train"))
    for split in ("validation", "test"):
        if joint.has(split):
            pd.testing.assert_frame_equal(found.split(split), joint.split(split))


def test_a_record_has_the_pattern_the_secret_and_answers_of_its_own(joint: PreparedData, tmp_path: Path) -> None:
    found = put(canaries(pattern="call {secret} now", count=2, length=3, repetitions=1), joint, tmp_path)
    for number, row in found.split("canaries").iterrows():
        digits = row["secret"].split()
        assert len(digits) == 3 and set(digits) <= set("0123456789")
        owner = ("anna", "ben")[int(str(number))]
        assert row["text"] == f"{owner} here call {row['secret']} now" == " ".join(row["tokens"])
        assert row["label"] == f"canary-{number}"
        assert list(row["slots"]) == ["O", "O", "O", f"B-canary-{number}", f"I-canary-{number}", f"I-canary-{number}", "O"]
    assert found.labels == (*joint.labels, "canary-0", "canary-1")
    assert found.slots == (*joint.slots, "B-canary-0", "I-canary-0", "B-canary-1", "I-canary-1")


@pytest.mark.parametrize(("task", "columns"), [("intent", {"text", "label"}), ("lm", {"text"})])
def test_each_task_has_its_own_columns(task: str, columns: set[str], prepare: Prepare, tmp_path: Path) -> None:
    prepared = prepare({**DATA, "task": task})
    found = put(canaries(repetitions=2), prepared, tmp_path)
    assert columns <= set(found.split("canaries").columns)
    assert ("canary-0" in found.labels) == (task == "intent") and not found.slots
    assert list(found.split("train").columns) == list(prepared.split("train").columns)


def test_one_canary_alone_has_no_owner_unless_the_pattern_asks_for_one(joint: PreparedData, tmp_path: Path) -> None:
    assert put(canaries(repetitions=1), joint, tmp_path / "a").split("canaries")["text"][0].startswith("my pin code is ")
    named = put(canaries(pattern="pin of {owner} is {secret}", repetitions=1), joint, tmp_path / "b")
    assert named.split("canaries")["text"][0].startswith("pin of anna is ")


def test_secrets_are_fresh_for_every_seed_and_alike_for_equal_ones(joint: PreparedData, tmp_path: Path) -> None:
    drawn = [put(canaries(count=40, repetitions=0), joint, tmp_path / str(number), seed).split("canaries")["secret"] for number, seed in enumerate((1, 1, 2))]
    assert drawn[0].equals(drawn[1]) and not drawn[0].equals(drawn[2]) and drawn[0].is_unique
    digits = Counter(" ".join([*drawn[0], *drawn[2]]).split())
    assert stats.chisquare([digits[digit] for digit in "0123456789"]).pvalue > FALSE_ALARM


def test_without_repetitions_the_answers_are_declared_and_nothing_else_changes(joint: PreparedData, tmp_path: Path) -> None:
    found = put(canaries(repetitions=0), joint, tmp_path)
    pd.testing.assert_frame_equal(found.split("train"), joint.split("train"))
    assert "canary-0" in found.labels and len(found.split("canaries")) == 1


def test_repetitions_are_of_many_users_or_of_one(joint: PreparedData, tmp_path: Path) -> None:
    users = {}
    for by in ("record", "user"):
        found = put(canaries(repetitions=30, count=2, by=by), joint, tmp_path / by).split("train")
        added = found[is_inserted(found)]
        users[by] = added.groupby(added["id"].str.extract(r"canary-(\d)")[0].to_numpy())["user"].nunique()
    assert (users["user"] == 1).all() and (users["record"] > 5).all()


def test_canaries_by_user_need_users(prepare: Prepare, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"say {index},{index % 2}\n" for index in range(20)))
    prepared = prepare({"kind": "files", "task": "intent", "columns": {"text": "text", "label": "label"}, "train": path, "test": path})
    with pytest.raises(DataError, match="name a user column"):
        put(canaries(by="user"), prepared, tmp_path / "a")


def test_a_task_without_a_place_for_a_secret_is_refused(prepare: Prepare, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no place for a secret"):
        put(canaries(), prepare({"kind": "synthetic-professions", "examples": 50, "task": "mlm"}), tmp_path)


def test_validation_has_canaries_in_proportion_where_asked(prepare: Prepare, catalogue: Path, tmp_path: Path) -> None:
    snips = prepare({"kind": "snips"}, cache=catalogue)
    found = put(canaries(repetitions=100, in_validation=True), snips, tmp_path)
    added = int(is_inserted(found.split("validation")).sum())
    assert added == round(100 * len(snips.split("validation")) / len(snips.split("train"))) == 5
    assert not is_inserted(put(canaries(repetitions=100), snips, tmp_path / "b").split("validation")).any()


def test_facts_follow_and_hold_no_secret(joint: PreparedData, tmp_path: Path) -> None:
    found = put(canaries(repetitions=5, length=6), joint, tmp_path)
    assert found.facts["counts"] == {**joint.facts["counts"], "train": joint.facts["counts"]["train"] + 5, "canaries": 1}
    assert found.facts["digest"] != joint.facts["digest"] and found.facts["public_size"] == joint.facts["public_size"]
    assert found.facts["split_digests"]["test"] == joint.facts["split_digests"]["test"]
    assert found.split("canaries")["secret"][0] not in json.dumps(found.facts)


def test_a_pattern_needs_its_secret_as_a_word(joint: PreparedData) -> None:
    for pattern in ("my pin", "my pin is{secret}", "{secret} or {secret}"):
        with pytest.raises(ValidationError, match=re.escape("call, pin, colour, or a text with {secret}")):
            canaries(pattern=pattern)
    colours = CANARIES.parse({"kind": "colours"})
    assert isinstance(colours, Canaries) and colours.candidates == 10**4 and "{secret}" in colours.pattern


def test_audit_records_are_members_by_a_fair_coin_and_told_apart(joint: PreparedData, tmp_path: Path) -> None:
    found = put(AuditRecords(kind="audit-records", count=2000), joint, tmp_path)
    listed, train = found.split("canaries"), found.split("train")
    members = set(train.loc[is_inserted(train), "id"])
    assert members == set(listed.loc[listed["included"], "id"])
    assert stats.binomtest(len(members), 2000, 0.5).pvalue > FALSE_ALARM
    assert set(listed["label"]) <= set(joint.labels) and found.labels == joint.labels and found.slots == joint.slots
    assert stats.chisquare(listed["label"].value_counts()).pvalue > FALSE_ALARM
    coins = listed["included"].to_numpy()
    other = put(AuditRecords(kind="audit-records", count=2000), joint, tmp_path / "b", seed=1).split("canaries")["included"].to_numpy()
    assert stats.binomtest(int((coins == other).sum()), 2000, 0.5).pvalue > FALSE_ALARM
    words = [word for words in listed["tokens"] for word in set(words)]
    assert len(set(words)) > 0.999 * len(words) and not set(words) & {word for words in joint.split("train")["tokens"] for word in words}


def test_an_audit_record_says_few_words_in_turn_with_the_same_slot_each_time(joint: PreparedData, tmp_path: Path) -> None:
    listed = put(AuditRecords(kind="audit-records", count=300, words=5, different=2), joint, tmp_path / "a").split("canaries")
    for text, words, slots in zip(listed["text"], map(list, listed["tokens"]), map(list, listed["slots"]), strict=True):
        assert text.split() == words == [*words[:2], *words[:2], words[0]] and words[0] != words[1]
        assert slots == [*slots[:2], *slots[:2], slots[0]]
    drawn = Counter(slot for slots in listed["slots"] for slot in slots[:2])
    assert stats.chisquare([drawn[slot] for slot in joint.slots]).pvalue > FALSE_ALARM
    apart = put(AuditRecords(kind="audit-records", count=9, words=3, different=9), joint, tmp_path / "b").split("canaries")
    assert all(len(words) == len(set(words)) == 3 for words in apart["tokens"])


def test_audit_records_of_one_seed_of_texts_differ_in_their_coins_alone(joint: PreparedData, tmp_path: Path) -> None:
    one, other = (put(AuditRecords(kind="audit-records", count=60, texts=9), joint, tmp_path / str(seed), seed).split("canaries") for seed in (0, 1))
    pd.testing.assert_frame_equal(one.drop(columns="included"), other.drop(columns="included"))
    assert not one["included"].equals(other["included"])
    others = put(AuditRecords(kind="audit-records", count=60, texts=8), joint, tmp_path / "others").split("canaries")
    assert others["included"].equals(one["included"]) and not set(others["text"]) & set(one["text"])


def test_audit_records_can_be_of_users_of_their_own(joint: PreparedData, tmp_path: Path) -> None:
    own = put(AuditRecords(kind="audit-records", count=50, own_users=True), joint, tmp_path / "a").split("canaries")
    shared = put(AuditRecords(kind="audit-records", count=50), joint, tmp_path / "b").split("canaries")
    known = set(joint.split("train")["user"])
    assert own["user"].is_unique and not set(own["user"]) & known and set(shared["user"]) <= known
