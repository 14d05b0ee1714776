"""Pools: one coin per distinct record decides who is a member, before any training."""

from __future__ import annotations

from pathlib import Path

from scipy import stats

from tests.conftest import Prepare

BLOCK = {"kind": "synthetic-assistant", "examples": 6000, "intents": 20, "task": "intent", "public_size": 3000, "attack_holdout": 1000}


def contents(prepared: object, split: str) -> list[tuple[str, str]]:
    """What a classifier sees, without the code under test: text without case, and label."""
    records = prepared.split(split)  # type: ignore[attr-defined]
    return [(text.casefold(), label) for text, label in zip(records["text"], records["label"], strict=True)]


def test_the_realised_share_is_holdout_over_holdout_and_public_size(prepare: Prepare) -> None:
    """At a false-alarm rate of 1e-6; a coin of holdout / public size would be seen."""
    counts = prepare(BLOCK, seed=1).facts["counts"]
    out, total = counts["nonmembers"], counts["nonmembers"] + counts["train"]
    assert stats.binomtest(out, total, 1000 / 4000).pvalue > 1e-6
    assert stats.binomtest(out, total, 1000 / 3000).pvalue < 1e-6


def test_pools_are_disjoint_whole_and_without_duplicates(prepare: Prepare) -> None:
    pooled, plain = prepare(BLOCK, seed=1), prepare({**BLOCK, "attack_holdout": 0})
    members, nonmembers, all_records = (contents(*which) for which in ((pooled, "train"), (pooled, "nonmembers"), (plain, "train")))
    assert not set(members) & set(nonmembers)
    assert len(set(members)) == len(members) and len(set(nonmembers)) == len(nonmembers)
    assert set(members) | set(nonmembers) == set(all_records)
    assert len(set(all_records)) < len(all_records)  # there were duplicates to remove
    assert pooled.facts["duplicates_removed"] == len(all_records) - len(set(all_records))
    assert not plain.has("nonmembers") and plain.facts["nonmembers"] == 0
    assert list(pooled.split("test")["id"]) == list(plain.split("test")["id"])


def test_two_arms_of_a_seed_share_pools_and_seeds_do_not(prepare: Prepare) -> None:
    first, again, other = prepare(BLOCK, seed=1), prepare(BLOCK, seed=1), prepare(BLOCK, seed=2)
    assert list(first.split("train")["id"]) == list(again.split("train")["id"]) and first.facts["digest"] == again.facts["digest"]
    one, two = (set(found.split("nonmembers")["id"]) for found in (first, other))
    shared, total = len(one & two), sum(first.facts["counts"][split] for split in ("train", "nonmembers"))
    assert stats.binomtest(shared, total, 1 / 16).pvalue > 1e-6  # independent coins


def test_a_record_keeps_its_coin_when_others_come_and_go(tmp_path: Path, prepare: Prepare) -> None:
    lines = [f"say {index} things,x{index % 4}\n" for index in range(600)]
    held = []
    for name, chosen in (("a", lines), ("b", list(reversed(lines))), ("c", lines[::2])):
        path = tmp_path / f"{name}.csv"
        path.write_text("t,l\n" + "".join(chosen))
        pools = {"public_size": 400, "attack_holdout": 200}
        prepared = prepare({"kind": "files", "task": "intent", "columns": {"text": "t", "label": "l"}, "train": path, "test": path, **pools}, seed=5)
        held.append(set(prepared.split("nonmembers")["text"]))
    assert held[0] == held[1]
    assert held[2] == {text for text in held[0] if int(text.split()[1]) % 2 == 0}


def test_limit_keeps_the_same_records_for_every_seed(prepare: Prepare) -> None:
    plain = {**BLOCK, "attack_holdout": 0}
    few, again, more, whole = (prepare({**plain, "limit": limit}, seed=seed) for limit, seed in ((300, 0), (300, 9), (500, 0), (None, 0)))
    ids = [list(found.split("train")["id"]) for found in (few, again, more, whole)]
    assert len(ids[0]) == 300 and ids[0] == ids[1]
    assert set(ids[0]) < set(ids[2]) and [record for record in ids[3] if record in set(ids[0])] == ids[0]
    assert few.facts["counts"]["test"] == whole.facts["counts"]["test"] and few.facts["digest"] != whole.facts["digest"]


def test_ids_are_unique_and_follow_from_the_content(prepare: Prepare) -> None:
    first, other = prepare({**BLOCK, "attack_holdout": 0}), prepare({**BLOCK, "attack_holdout": 0, "seed": 8})
    assert first.split("train")["id"].is_unique
    by_id = dict(zip(first.split("train")["id"], contents(first, "train"), strict=True))
    for record, content in zip(other.split("train")["id"], contents(other, "train"), strict=True):
        assert by_id.get(record, content) == content


def test_two_spellings_of_one_text_are_never_a_member_and_a_nonmember(tmp_path: Path, prepare: Prepare) -> None:
    """A tokenizer that lowers case sees one record twice; the same text under another label is another record."""
    path = tmp_path / "a.csv"
    path.write_text("t,l\n" + "".join(f"say {index},x\nSAY {index},x\nsay {index},y\n" for index in range(300)))
    values = {"kind": "files", "task": "intent", "columns": {"text": "t", "label": "l"}, "train": path, "test": path}
    prepared = prepare({**values, "public_size": 300, "attack_holdout": 300}, seed=3)
    members, nonmembers = (contents(prepared, split) for split in ("train", "nonmembers"))
    assert not set(members) & set(nonmembers) and len(members) + len(nonmembers) == 600
    assert prepared.facts["duplicates_removed"] == 300
