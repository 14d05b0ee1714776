"""The card: what it says of the guarantee is what was recorded, and its snippet answers as the model does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from tasks.models._card import code, numbers
from tasks.models._guarantee import CONDITIONS, conditions, standing
from tasks.models.artifact import load_model
from tasks.models.exporting import Origin
from tasks.models.model import TaskShape
from tasks.text._huggingface import fit
from tests.models.exports import DATA, NOTHING, PRIVATE, begun, export_sample, exported, save, snippet
from tests.models.samples import BLOCKS, INTENT, JOINT, LM, QA, SEQ2SEQ
from tests.text.corpus import PLAIN

TAGGING = TaskShape("tagging", (), ("O", "B-x", "I-x", "B-y"))
TEXT = "what will the weather be tomorrow"
SMALL: dict[str, Any] = {"layers": 1, "hidden_size": 16, "heads": 2}
CORPUS = {"kind": "synthetic-assistant", "task": "lm"}
TOKENIZERS: dict[str, dict[str, Any]] = {
    "hashing": {"kind": "hashing", "buckets": 60, "max_tokens": 4},
    "bytes": {"kind": "bytes", "max_tokens": 26},
    "trained": {"kind": "trained", "corpus": CORPUS, "max_tokens": 14},
}
ORIGIN = Origin(
    run="47b8e260386e474eae1493dee83b5829",
    study="quickstart",
    arm="linear",
    seed="2",
    git_commit="26db3429485a931a9f640746456dfcbb64276d3d",
    versions={"torch": "2.13.0"},
    data_digest="5052ce5a4f2ae689dba72ae18297fa93",
    labels="TEXT-01",
    metrics={"utility/accuracy": 0.91, "utility/accuracy_low": 0.88, "utility/accuracy_high": 0.93, "cost/train_seconds": 4.5, "train/loss": 0.123456},
    not_measured={"utility/ece": "undefined: too few records"},
)


def run_snippet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the snippet of a card leaves, run in the folder as its reader would."""
    monkeypatch.chdir(folder)
    left: dict[str, Any] = {}
    exec(compile(snippet(folder), "README.md", "exec"), left)
    return left


def logits_of_target(network: Any, given: torch.Tensor, written: list[int]) -> torch.Tensor:
    """The mean log p of a target, its tokens asked for one after another."""
    there, positions, told = torch.ones_like(given, dtype=torch.bool), torch.arange(given.shape[1]).unsqueeze(0), []
    for place in range(len(written)):
        target = torch.tensor([written[: place + 1]])
        with torch.no_grad():
            logits = network(input_ids=given, attention_mask=there, position_ids=positions, target_ids=target)["seq2seq"]
        told.append(logits[0, place].log_softmax(dim=-1)[written[place]])
    return torch.stack(told).mean()


def check_snippet(artifact: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are those of the artifact, read and asked by Assay."""
    left, loaded = run_snippet(folder, monkeypatch), load_model(artifact, "cpu")
    words = TEXT.split()
    owners: list[int] = []
    if loaded.shape.task == "lm":
        ids = loaded.encoder.windows(TEXT)[0]
    elif loaded.shape.task == "qa":
        ids, _ = loaded.encoder.pair(TEXT, left["text"])
    else:
        ids, owners = loaded.encoder.encode_words([words])[0] if loaded.shape.slots else (loaded.encoder.encode([TEXT])[0], owners)
    assert left["ids"] == ids
    given = torch.tensor([ids])
    with torch.no_grad():
        logits = loaded.network(input_ids=given, attention_mask=torch.ones_like(given, dtype=torch.bool), position_ids=torch.arange(len(ids)).unsqueeze(0))
    if loaded.shape.task == "lm":
        expected = torch.nn.functional.cross_entropy(logits["lm"][0, :-1], given[0, 1:])
        assert left["loss"] == pytest.approx(float(expected), abs=1e-4)
    if loaded.shape.task == "qa":
        torch.testing.assert_close(left["span"], logits["span"][0], atol=1e-4, rtol=1e-4)
        assert left["answer"] in left["text"] and (left["answer"] or len(ids) < 13)
    if loaded.shape.task == "seq2seq":
        expected = -logits_of_target(loaded.network, given, left["written"])
        assert left["loss"] == pytest.approx(float(expected), abs=1e-4)
    if loaded.shape.labels:
        assert left["label"] == loaded.shape.labels[int(logits["intent"].argmax())]
        if "intent" in left:
            torch.testing.assert_close(left["intent"], logits["intent"], atol=1e-4, rtol=1e-4)
    if loaded.shape.slots:
        tags = ["O"] * len(words)
        for place, word in enumerate(owners):
            if word >= 0:
                tags[word] = loaded.shape.slots[int(logits["slots"][0, place].argmax())]
        assert left["tags"] == tags
        torch.testing.assert_close(left["slots"], logits["slots"][0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_the_snippet_answers_as_the_model(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, out = export_sample(name, tmp_path)
    check_snippet(tmp_path / "artifact", out, monkeypatch)
    assert ("tasks.models" in snippet(out)) == (BLOCKS[name][0]["kind"] in ("linear", "bilstm") or BLOCKS[name][1] in (QA, SEQ2SEQ))  # no others need Assay


@pytest.mark.parametrize("tokenizer", sorted(TOKENIZERS))
@pytest.mark.parametrize("shape", [INTENT, JOINT, TAGGING, LM], ids=lambda shape: shape.task)
def test_the_snippet_reads_with_every_tokenizer_for_every_task(tokenizer: str, shape: TaskShape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cuts the text, so that a length that the snippet forgets is seen."""
    (tmp_path / "fitted").mkdir()
    fit(PLAIN, 300).save(str(tmp_path / "fitted" / "tokenizer.json"))
    kind = "gpt2" if shape.task == "lm" else "bert"
    started = begun({"kind": kind, **SMALL, "tokenizer": TOKENIZERS[tokenizer]}, shape, {"tokenizer": tmp_path / "fitted"})
    artifact = save(tmp_path / "artifact", started, shape)
    exported(artifact, tmp_path / "out")
    check_snippet(artifact, tmp_path / "out", monkeypatch)


def test_other_weights_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the tests above: the answer layers of another model."""
    _, _, out = export_sample("bert", tmp_path)
    (tmp_path / "other").mkdir()
    started = begun(BLOCKS["bert"][0], JOINT)
    exported(save(tmp_path / "other" / "artifact", started, JOINT), tmp_path / "other" / "out")
    (tmp_path / "other" / "out" / "heads.safetensors").rename(out / "heads.safetensors")
    with pytest.raises(AssertionError):
        check_snippet(tmp_path / "artifact", out, monkeypatch)


def test_a_snippet_loads_nothing_that_could_run_code(tmp_path: Path) -> None:
    for name in ("lora", "gpt2", "linear"):
        (tmp_path / name).mkdir()
        found = snippet(export_sample(name, tmp_path / name)[2])
        assert not re.search(r"pickle|torch\.load|trust_remote_code|allow_pickle|\beval\(\w", found), found


def head(card: ModelCard) -> dict[str, Any]:
    """The YAML head as the hub's library reads it."""
    data: Any = card.data
    return dict(data.to_dict())


@pytest.mark.parametrize(
    ("privacy", "found"),
    [
        ({"guarantee": "none"}, "none"),
        ({}, "unknown"),
        ({"guarantee": ""}, "unknown"),
        ({"guarantee": 3}, "unknown"),
        ({"guarantee": "local noise (not a guarantee)"}, "not a guarantee"),
        ({"guarantee": "simulated: example-level (3.0, 7.7e-06)-DP, add/remove"}, "simulated"),
        ({**PRIVATE, "randomness": "reproducible"}, "simulated"),
        (PRIVATE, "guarantee"),
    ],
)
def test_only_a_guarantee_is_called_one(privacy: dict[str, Any], found: str, tmp_path: Path) -> None:
    assert standing(privacy) == found
    _, _, out = export_sample("linear", tmp_path, privacy)
    card = ModelCard((out / "README.md").read_text())
    assert ("differential-privacy" in head(card)["tags"]) == (found == "guarantee")
    assert ("Trained with differential privacy" in card.text) == (found == "guarantee")
    assert ("**This model has no privacy guarantee" in card.text) == (found in ("none", "unknown", "not a guarantee"))
    assert ("**This model protects nobody**" in card.text) == (found == "simulated")
    assert ("drawn from a seed" in card.text) == (found == "simulated")
    assert ("| condition | value |" in card.text) == (found not in ("none", "unknown"))


def section(folder: Path, title: str) -> str:
    return (folder / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_a_guarantee_stands_with_every_condition(tmp_path: Path) -> None:
    _, _, out = export_sample("bert", tmp_path, {**PRIVATE, "noted": "a key that nobody knows"}, ORIGIN)
    text = section(out, "Privacy guarantee")
    assert f"`{PRIVATE['guarantee']}`" in text
    expected = {
        "epsilon": "2.998123456789",
        "delta": "7.7e-06",
        "unit": "example",
        "adjacency": "add-remove",
        "sampler": "poisson",
        "sampling rate": "0.0197",
        "steps": "508",
        "noise multiplier": "1.23",
        "clip norm (L2)": "1.5",
        "accountant": "pld",
        "accountants asked": "pld 2.998; rdp 3.1 to 3.2",
        "public size": "13000",
        "randomness": "secret",
        "engine": "opacus-ghost",
    }
    for name, value in expected.items():
        assert f"| {name} | `{value}` |" in text
    assert set(expected) > {name for name, _ in CONDITIONS}
    for word in ("vocabulary", "hyperparameters", "validation and test", "taken as public", "set of labels", "one `example`"):
        assert word in text
    assert "nobody knows" not in text and "not recorded" not in text


def test_conditions_that_are_absent_are_said_to_be(tmp_path: Path) -> None:
    assert set(dict(conditions({"guarantee": "x"})).values()) == {"not recorded"} and len(conditions({})) == len(CONDITIONS)
    _, _, out = export_sample("linear", tmp_path, {"guarantee": PRIVATE["guarantee"], "delta": 1e-5, "unit": "user", "sampler": "shuffle", "rate": 0.5})
    text = section(out, "Privacy guarantee")
    assert "| delta | `1e-05` |" in text and "| unit | `user` |" in text and "| sampling rate | `0.5` |" in text
    assert "| epsilon | `not recorded` |" in text and "| noise multiplier | `not recorded` |" in text and "a claim alone" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [("linear", "learns nothing from data"), ("published", "was published with a model and is taken as public")],
)
def test_it_says_what_the_tokenizer_gives_away(name: str, words: str, tmp_path: Path) -> None:
    assert words in section(export_sample(name, tmp_path, PRIVATE)[2], "Privacy guarantee")


def test_a_vocabulary_of_private_text_is_named(tmp_path: Path) -> None:
    fit(PLAIN, 300).save(str(tmp_path / "tokenizer.json"))
    started = begun({"kind": "bert", **SMALL, "tokenizer": TOKENIZERS["trained"]}, INTENT, {"tokenizer": tmp_path})
    exported(save(tmp_path / "artifact", started, INTENT, PRIVATE), tmp_path / "out")
    assert "learnt from the corpus `synthetic-assistant` without privacy" in section(tmp_path / "out", "Privacy guarantee")


def test_numbers_come_with_their_bounds_and_series_are_none() -> None:
    found = {one.name: (one.value, one.low, one.high) for one in numbers({**ORIGIN.metrics, "attacks/only_low": 0.5, "train/validation_loss": 1.0})}
    assert found == {"utility/accuracy": ("0.91", "0.88", "0.93"), "cost/train_seconds": ("4.5", "", ""), "attacks/only_low": ("0.5", "", "")}


def test_it_says_where_it_comes_from(tmp_path: Path) -> None:
    _, _, out = export_sample("linear", tmp_path, NOTHING, ORIGIN)
    text = (out / "README.md").read_text()
    made = section(out, "How it was made")
    for value in (ORIGIN.run, "quickstart", "linear", "`2`", ORIGIN.git_commit, "2.13.0", "TEXT-01", "fp32"):
        assert str(value) in made
    measured = section(out, "Numbers")
    assert "| `utility/accuracy` | 0.91 | 0.88 | 0.93 |" in measured and str(ORIGIN.data_digest) in measured
    assert "Not measured: `utility/ece`, `undefined: too few records`" in measured and "0.123456" not in text
    data = section(out, "Training data")
    assert DATA["digest"] in data and "| records by split | `train 3193; test 807` |" in data and "| population | `not recorded` |" in data


def test_without_a_record_it_says_so(tmp_path: Path) -> None:
    _, _, out = export_sample("linear", tmp_path)
    assert "None: the model was exported from a folder" in section(out, "Numbers")
    assert "| study | `not recorded` |" in section(out, "How it was made")


def test_a_model_that_was_trained_on_says_on_what(tmp_path: Path) -> None:
    _, _, out = export_sample("linear", tmp_path, NOTHING, Origin(run="r", base="assistant@champion"))
    assert "began with the weights of a recorded model: `assistant@champion`" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "library", "pipeline"),
    [("linear", None, "text-classification"), ("bert", "transformers", "text-classification"), ("gpt2", "transformers", "text-generation")],
)
def test_the_head_is_read_by_the_hub(name: str, library: str | None, pipeline: str, tmp_path: Path) -> None:
    found = head(ModelCard((export_sample(name, tmp_path)[2] / "README.md").read_text()))
    assert found.get("library_name") == library and found["pipeline_tag"] == pipeline and found["tags"] == ["assay", name]
    assert (found["license"], found["license_name"]) == ("other", "unknown")


def test_names_that_are_not_ours_are_no_markup(tmp_path: Path) -> None:
    labels = ("a`b", "c\n## d", "<script>alert(1)</script>", "x" * 300, "[l](http://e)")
    shape = TaskShape("intent", labels)
    started = begun(BLOCKS["linear"][0], shape)
    exported(save(tmp_path / "artifact", started, shape), tmp_path / "out", Origin(run="r", study="s", arm="a|b\n---\n"))
    text = (tmp_path / "out" / "README.md").read_text()
    assert "`a'b`, `c ## d`, `<script>alert(1)</script>`, `xxx" in text and "`[l](http://e)`" in text
    assert "x" * 101 not in text and "| arm | `a\\|b ---` |" in text and "# `s: a|b ---`" in text
    assert code("\x1b[31mred") == "`?[31mred`" and code("") == "(empty)"
