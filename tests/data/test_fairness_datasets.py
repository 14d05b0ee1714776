"""The catalogue's datasets on groups of people have their published counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tasks.data.datasets.madlibs import TERMS, identity_in, template_of
from tasks.data.grouping import TOGETHER
from tests.conftest import Prepare


def test_hatexplain_has_its_official_splits_and_groups(catalogue: Path, prepare: Prepare) -> None:
    """Mathew et al. 2021: 20,148 posts, of which 19,229 have a majority label, split 8:1:1."""
    three = prepare({"kind": "hatexplain", "labels": "three"}, cache=catalogue)
    assert three.facts["counts"] == {"train": 15383, "validation": 1922, "test": 1924} and set(three.labels) == {"hatespeech", "normal", "offensive"}
    binary = prepare({"kind": "hatexplain"}, cache=catalogue)
    test, before = binary.split("test"), three.split("test")
    assert set(binary.labels) == {"normal", "toxic"} and ((test["label"] == "normal") == (before["label"] == "normal")).all()
    groups = Counter(name for value in test["group"].dropna() for name in value.split(TOGETHER))
    assert len(groups) > 10 and min(groups["African"], groups["Islam"], groups["Women"]) > 100


def test_hate_speech_and_offensive_language(catalogue: Path, prepare: Prepare) -> None:
    """Davidson et al. 2017, as published: 1,430 hateful, 19,190 offensive, 4,163 neither."""
    found = prepare({"kind": "hate-speech-offensive", "labels": "three"}, cache=catalogue)
    counts = Counter(label for split in found.split_names for label in found.split(split)["label"])
    assert counts == {"hate": 1430, "offensive": 19190, "neither": 4163}


def test_madlibs_are_balanced_and_templates_stay_on_one_side(catalogue: Path, prepare: Prepare) -> None:
    """Dixon et al. 2018: 76,564 sentences, half of them toxic, each template with every identity."""
    found = prepare({"kind": "madlibs"}, cache=catalogue)
    train, test = found.split("train"), found.split("test")
    labels = Counter([*train["label"], *test["label"]])
    assert sum(labels.values()) == 76564 and labels["toxic"] == labels["normal"]
    assert not set(train["user"]) & set(test["user"]) and set(test["group"].dropna()) <= set(TERMS)
    assert test["group"].notna().mean() > 0.95, "a few sentences name an occupation instead"


def test_the_longest_identity_is_found() -> None:
    assert identity_in("I am an African American man") == "african american" and identity_in("nobody") is None
    assert template_of("I hate all Latina people") == "I hate all IDENTITY people"


def test_bold_has_paragraphs_of_all_domains(catalogue: Path, prepare: Prepare) -> None:
    found = prepare({"kind": "bold-wikipedia"}, cache=catalogue)
    assert found.task == "lm" and sum(found.facts["counts"].values()) > 5000
