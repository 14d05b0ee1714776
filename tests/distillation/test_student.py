"""How a student begins from its teacher: which layers, by hand; what is refused, each in one line; and what it tells of its lessons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tasks.core.errors import UserError
from tasks.data.prepared import PreparedData
from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import make_lessons
from tasks.distillation.student import TaughtByTeacher, check_pair, from_alternate_layers
from tasks.distillation.taught import Taught
from tasks.distillation.teacher import AskedTeacher, StoredTargets, store
from tasks.models.architectures.gpt2 import Gpt2
from tasks.models.artifact import LoadedModel, save_model
from tasks.models.model import ModelError, Started, TaskShape
from tasks.text._bytes import BytesEncoder
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.counterfactuals.gender import Gender
from tasks.text.reversal import Reversed
from tasks.text.tokenizer import TextEncoder
from tasks.training.guards import TrainingGuard, check_saved
from tasks.training.training import Training
from tests.conftest import NewRun
from tests.distillation.tiny import TEXTS, asked, encoder, lessons, network, reverser
from tests.models.samples import inputs, start

LM = TaskShape("lm")
WORDS = {"kind": "trained", "corpus": {"kind": "synthetic-professions"}, "max_tokens": 64}
OUTSIDE = ("body.transformer.wte.weight", "body.transformer.wpe.weight", "body.transformer.ln_f.weight", "body.transformer.ln_f.bias")


def block(layers: int = 2, width: int = 16, heads: int = 2, **tokenizer: Any) -> Gpt2:
    values = {"kind": "gpt2", "layers": layers, "hidden_size": width, "heads": heads, "dropout": 0.0, "tokenizer": {**WORDS, **tokenizer}}
    return Gpt2.model_validate(values)


def begun(layers: int = 2, width: int = 16, seed: int = 0, max_tokens: int = 64, heads: int = 2) -> Started:
    """A network of the tiny tokenizer whose every weight is other than those of another seed, norms and biases too."""
    model = block(layers, width, heads, max_tokens=max_tokens)
    made = model.build(LM, encoder(max_tokens), seed)
    with torch.no_grad():
        for place, weight in enumerate(made.parameters()):
            weight.mul_(6).add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1000 * seed + place)))
    return Started(model, encoder(max_tokens), made.eval())


def loaded(started: Started, shape: TaskShape = LM) -> LoadedModel:
    return LoadedModel(started.model, started.encoder, started.network, shape, {})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher of four layers, and its lessons."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("teacher", "lessons")}
    save_model(found["teacher"], begun(4, seed=3), LM, {"guarantee": "none"}, {})
    lessons().save(found["lessons"])
    return found


def teaching(folders: dict[str, Path], **fields: Any) -> TaughtByTeacher:
    how = Distillation.model_validate(fields)
    targets = folders.get("targets", Path("absent"))
    return TaughtByTeacher(folders.get("teacher", Path("absent")), folders["lessons"], targets, Gender(kind="gender"), how)


@pytest.mark.parametrize(
    ("of", "student", "kept"),
    [(4, 2, [0, 3]), (12, 6, [0, 2, 4, 7, 9, 11]), (5, 3, [0, 2, 4]), (3, 3, [0, 1, 2]), (4, 1, [0])],
)
def test_layers_are_copied_evenly_spaced(of: int, student: int, kept: list[int]) -> None:
    one, other = begun(of, seed=1).network, begun(student, seed=2).network
    before = {name: value.clone() for name, value in other.state_dict().items()}
    assert from_alternate_layers(other, one) == kept
    weights, found = one.state_dict(), other.state_dict()
    for place, source in enumerate(kept):
        of_layer = [name for name in found if name.startswith(f"body.transformer.h.{place}.")]
        assert len(of_layer) == 12
        for name in of_layer:
            assert torch.equal(found[name], weights[name.replace(f".h.{place}.", f".h.{source}.", 1)])
    for name in OUTSIDE:
        assert torch.equal(found[name], weights[name])
    assert not any(torch.equal(found[name], before[name]) for name in found)  # nothing was alike before
    assert found["body.lm_head.weight"].data_ptr() == found["body.transformer.wte.weight"].data_ptr()


def answers(started: Started, found: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        said: Tensor = started.network(**found)["lm"]
    return said


def test_a_student_of_all_layers_answers_as_its_teacher_also_with_fewer_positions() -> None:
    one, found = begun(3, seed=1), inputs([9, 4, 7], encoder().vocabulary_size)
    for positions in (64, 16):
        student = begun(3, seed=2, max_tokens=positions)
        assert not torch.allclose(answers(student, found), answers(one, found), atol=0.1)
        from_alternate_layers(student.network, one.network)
        torch.testing.assert_close(answers(student, found), answers(one, found), atol=0, rtol=0)
    fewer = begun(2, seed=2)
    from_alternate_layers(fewer.network, one.network)
    assert not torch.allclose(answers(fewer, found), answers(one, found), atol=0.1)


def test_a_copied_weight_is_the_students_own() -> None:
    one, student = begun(2, seed=1), begun(2, seed=2)
    from_alternate_layers(student.network, one.network)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    with torch.no_grad():
        for weight in student.network.parameters():
            assert weight.requires_grad
            weight.zero_()
    assert all(torch.equal(value, before[name]) for name, value in one.network.state_dict().items())


def refused(act: Any, begins: str) -> None:
    with pytest.raises(ModelError) as caught:
        act()
    assert str(caught.value).startswith(begins) and "\n" not in str(caught.value) and isinstance(caught.value, UserError)


def bert(folder: Path) -> nn.Module:
    return start("bert", folder)[0].network


@pytest.mark.parametrize("unlike", ["more layers", "wider", "narrower", "more heads", "another architecture", "no layers", "more positions"])
def test_a_student_that_is_not_like_its_teacher_cannot_begin_from_its_layers(unlike: str, tmp_path: Path) -> None:
    students = {
        "more layers": lambda: begun(3).network,
        "wider": lambda: begun(width=32).network,
        "narrower": lambda: begun(width=8).network,
        "more heads": lambda: begun(heads=4).network,
        "another architecture": lambda: bert(tmp_path),
        "no layers": lambda: start("linear", tmp_path)[0].network,
        "more positions": lambda: begun(max_tokens=80).network,
    }
    student = students[unlike]()
    refused(lambda: from_alternate_layers(student, begun(2, seed=1).network), "alternate-layers: the ")


def with_encoder(started: Started, of: TextEncoder) -> Started:
    return replace(started, encoder=of)


def test_what_does_not_fit_together_is_refused() -> None:
    one, student = begun(), begun(1)
    check_pair(loaded(one), student)
    check_pair(loaded(one), begun(1, max_tokens=40))
    labelled = loaded(one, TaskShape("intent", ("a", "b")))
    refused(lambda: check_pair(labelled, student), "the teacher answers task 'intent': a teacher is a causal language model, task 'lm'")
    refused(lambda: check_pair(loaded(one), with_encoder(student, BytesEncoder(64))), "teacher and student have unlike tokenizers (")
    refused(lambda: check_pair(loaded(one), begun(1, max_tokens=65)), "the student reads 65 tokens, its teacher 64: lower student.tokenizer.max_tokens")


def test_tokenizers_of_one_size_that_read_unlike_are_refused() -> None:
    other = FastEncoder(fit(["the student of the nurse said that it was so in March and in April ."] * 20 + TEXTS, encoder().vocabulary_size), 64)
    assert other.vocabulary_size == encoder().vocabulary_size
    refused(lambda: check_pair(loaded(begun()), with_encoder(begun(1), other)), "teacher and student have unlike tokenizers (500 and 500 tokens)")


def test_states_of_unlike_widths_are_not_compared(folders: dict[str, Path]) -> None:
    line = "distillation.weights.hidden compares states: the student is 8 wide, its teacher 16"
    refused(lambda: teaching(folders, weights={"hidden": 0.5}).begin(begun(1, width=8)), line)
    plain, hidden = begun(1, width=8), begun(1)
    teaching(folders).begin(plain)
    teaching(folders, weights={"hidden": 0.5}).begin(hidden)
    assert hidden.network.tell_states and not plain.network.tell_states


def test_beginning_copies_layers_only_where_asked(folders: dict[str, Path]) -> None:
    fresh, copied = begun(2), begun(2)
    before = {name: value.clone() for name, value in fresh.network.state_dict().items()}
    teaching(folders).begin(fresh)
    teaching(folders, initialise="alternate-layers").begin(copied)
    assert all(torch.equal(value, before[name]) for name, value in fresh.network.state_dict().items())
    weights = begun(4, seed=3).network.state_dict()
    assert torch.equal(copied.network.state_dict()["body.transformer.h.1.mlp.c_fc.weight"], weights["body.transformer.h.3.mlp.c_fc.weight"])


def encoded(how: TaughtByTeacher, student: Started, new_run: NewRun) -> Taught:
    how.begin(student)
    found = how.encode(PreparedData(Path("absent")), student, LM, Training(), new_run())
    assert isinstance(found, Taught)
    return found


@pytest.mark.parametrize("fields", [{}, {"swap_output_vocab": False, "restrict_to_gendered_vocab": True}])
def test_bytes_have_no_word_to_swap(fields: dict[str, Any], tmp_path: Path, new_run: NewRun) -> None:
    of_bytes = {name: tmp_path / name for name in ("teacher", "lessons")}
    for folder in of_bytes.values():
        folder.mkdir()
    model = Gpt2.model_validate({**block(1).model_dump(), "tokenizer": {"kind": "bytes", "max_tokens": 64}})
    student = Started(model, BytesEncoder(64), model.build(LM, BytesEncoder(64), 0))
    save_model(of_bytes["teacher"], student, LM, {}, {})
    make_lessons(TEXTS, student.encoder, reverser(), lambda done, total: None).save(of_bytes["lessons"])
    mixed = {"combiner": {"kind": "exp-mean"}}
    line = "no word of a group is one token of the student's tokenizer: use a trained tokenizer, or swap_output_vocab: false"
    refused(lambda: encoded(teaching(of_bytes, **mixed, **fields), student, new_run), line)
    assert len(encoded(teaching(of_bytes, **mixed, swap_output_vocab=False), student, new_run)) > 15
    assert len(encoded(teaching(of_bytes, **fields), student, new_run)) > 15  # no combiner reads a reversal


def test_stored_targets_are_read_unless_states_are_compared(folders: dict[str, Path], tmp_path: Path, new_run: NewRun) -> None:
    how = teaching(folders, combiner={"kind": "mean"})
    assert isinstance(encoded(how, begun(1), new_run).targets, AskedTeacher)
    store(asked(how.how, network()), lessons(), lessons().chosen("original"), None, tmp_path, lambda done, total: None)
    kept = {**folders, "targets": tmp_path}
    assert isinstance(encoded(teaching(kept, combiner={"kind": "mean"}), begun(1), new_run).targets, StoredTargets)
    assert isinstance(encoded(teaching(kept, combiner={"kind": "mean"}, weights={"hidden": 0.1}), begun(1), new_run).targets, AskedTeacher)


def test_what_states_are_compared_for_is_saved_and_read_back_alike(folders: dict[str, Path], new_run: NewRun, tmp_path: Path) -> None:
    """A student that tells its states is held to the saved one by its answers."""
    student = begun(1)
    found = encoded(teaching(folders, weights={"hidden": 0.1}), student, new_run)
    save_model(tmp_path, student, LM, {}, {})
    check_saved(student.network, tmp_path, found, "cpu")
    with torch.no_grad():
        student.network.body.transformer.wte.weight.mul_(1.1)  # type: ignore[union-attr,operator]
    with pytest.raises(TrainingGuard, match="the saved model answers otherwise than the trained one: lm"):
        check_saved(student.network, tmp_path, found, "cpu")


def shares(how: TaughtByTeacher) -> dict[str, tuple[float | None, int | None]]:
    return {row.name: (row.value, row.n) for row in how.rows(private=False)}


def told(folder: Path, facts: dict[str, int]) -> TaughtByTeacher:
    (folder / "lessons.json").write_text(json.dumps(facts))
    return teaching({"lessons": folder})


def test_shares_of_texts_and_places_by_hand(tmp_path: Path) -> None:
    """Of texts with a word of a group, and of places of texts that have a reversal."""
    facts = {"texts: reversed": 6, "texts: no word of a group": 50, "texts: unclear pronoun": 1, "texts: excluded": 2, "texts: word without a counterpart": 3}
    how = told(tmp_path, {**facts, "places of reversed texts": 80, "places without a counterpart": 4})
    assert shares(how) == {"distillation/texts_reversed": (0.5, 12), "distillation/places_left_out": (0.05, 80)}
    assert all((row.lowest, row.highest) == (0, 1) for row in how.rows(private=False))
    assert how.rows(private=True) == ()
    neutral = told(tmp_path, {"texts: no word of a group": 9, "places of reversed texts": 0, "places without a counterpart": 0})
    assert neutral.rows(private=False) == ()


def slowly_counted(texts: Sequence[str]) -> dict[str, int]:
    """Places of a reversed text whose words so far do not end where a token of the reversal ends: each prefix read anew."""
    count, lacking = 0, 0
    for text in texts:
        found = reverser().reverse(text)
        if not isinstance(found, Reversed):
            continue
        ids, ends = encoder().pieces(text)
        other_ends = encoder().pieces(found.text)[1]
        assert len(ids) < 63, "one window"
        count += len(ids)
        for end in ends[:-1]:
            passed = [(start, stop, word) for start, stop, word in found.swaps if stop <= end]
            moved = end + sum(len(word) - (stop - start) for start, stop, word in passed)
            now = [(start, stop, word) for start, stop, word in found.swaps if start < end < stop]
            if now:  # inside a word, whose tokens have counterparts where both words have equally many
                [(start, stop, word)] = now
                begins = moved - end + start
                lacking += sum(start < one <= stop for one in ends) != sum(begins < one <= begins + len(word) for one in other_ends)
            else:
                lacking += moved not in other_ends
    return {"places of reversed texts": count, "places without a counterpart": lacking}


def test_lessons_count_places_as_a_slow_twin_does() -> None:
    texts = [*TEXTS, "the policewoman met her grandmother ; her stepdaughter is a chairwoman ."]
    found = make_lessons(texts, encoder(), reverser(), lambda done, total: None).facts
    assert {name: value for name, value in found.items() if name.startswith("places")} == slowly_counted(texts)
    assert found["places without a counterpart"] > 0
    assert {name: value for name, value in found.items() if name.startswith("texts")} == {
        "texts: reversed": 16,
        "texts: no word of a group": 1,
        "texts: unclear pronoun": 1,
    }
