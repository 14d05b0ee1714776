"""What a student learns: targets by their properties, the loss by its formula, stored and asked teachers alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import ITSELF, NONE, ORIGINAL, OTHER, REVERSED, Lessons
from tasks.distillation.taught import DistillationLoss
from tasks.distillation.teacher import KEPT, StoredTargets, size_mib, store
from tasks.models.batches import network_inputs
from tasks.privacy.clip_rule import CLIP_RULES
from tasks.privacy.engine import ENGINES
from tests.distillation.tiny import KINDS, TEXTS, asked, encoder, examples, lessons, network, vocabulary

PLAIN: dict[str, Any] = {"combiner": {"kind": "none"}, "weights": {"kl": 1, "cross_entropy": 0, "hidden": 0}, "temperature": 1}
EVERYTHING = torch.arange(len(lessons().window))


def targets(**fields: Any) -> dict[str, torch.Tensor]:
    """Of all lessons, on the texts and on their reversals."""
    return examples(**{**PLAIN, "apply_to": "both", **fields}).batch(EVERYTHING)


def test_lessons_count_what_became_of_texts() -> None:
    found = lessons()
    assert found.facts["texts: reversed"] == 15 and found.facts["texts: no word of a group"] == 1 and found.facts["texts: unclear pronoun"] == 1
    assert found.records.tolist() == sorted(found.records.tolist())
    assert int((found.side == REVERSED).sum()) == int(((found.side == ORIGINAL) & (found.counterpart == OTHER)).sum())
    for apply_to, sides in (("original", {ORIGINAL}), ("augmented", {ORIGINAL, REVERSED}), ("both", {ORIGINAL, REVERSED})):
        chosen = found.chosen(apply_to)
        assert set(found.side[chosen].tolist()) == sides and set(found.records[chosen].tolist()) == set(range(len(TEXTS)))
    augmented = found.chosen("augmented")
    assert not bool((augmented & (found.side == ORIGINAL) & (found.counterpart == OTHER)).any())


def test_lessons_come_back_from_a_folder(tmp_path: Path) -> None:
    lessons().save(tmp_path)
    back = Lessons.load(tmp_path)
    assert all(torch.equal(value, getattr(back, name)) for name, value in vars(lessons()).items() if isinstance(value, torch.Tensor))
    assert back.facts == lessons().facts


def test_none_is_ordinary_distillation() -> None:
    batch = targets()
    own = network()(**network_inputs(batch))["lm"][:, :-1].softmax(dim=-1)
    torch.testing.assert_close(batch["teacher"], own)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_words_of_a_group_teaches_the_teacher_whatever_the_combiner(kind: str) -> None:
    plain, mixed = targets(), targets(combiner={"kind": kind}, swap_output_vocab=False)
    alike = lessons().counterpart != OTHER
    assert set(lessons().counterpart[alike].tolist()) == {NONE, ITSELF}
    torch.testing.assert_close(mixed["teacher"][alike], plain["teacher"][alike])


@pytest.mark.parametrize("kind", ["mean", "max", "exp-mean"])
def test_a_symmetric_combiner_teaches_a_text_and_its_reversal_alike(kind: str) -> None:
    batch = targets(combiner={"kind": kind}, swap_output_vocab=False)
    found, compared = lessons(), 0
    own = {(int(found.window[row])): row for row in range(len(found.window))}
    for row in range(len(found.window)):
        if found.counterpart[row] == OTHER and int(found.other[row]) in own:
            partner = own[int(found.other[row])]
            for place in range(int(found.lengths[found.window[row]]) - 1):
                where = int(found.places[row, place])
                if where >= 0 and batch["taught"][partner, where]:
                    torch.testing.assert_close(batch["teacher"][row, place], batch["teacher"][partner, where], rtol=1e-4, atol=1e-6)
                    compared += 1
    assert compared > 300


def test_swap_teaches_what_is_said_of_the_reversal() -> None:
    batch, plain = targets(combiner={"kind": "swap"}, swap_output_vocab=False), targets()
    found = lessons()
    own = {(int(found.window[row])): row for row in range(len(found.window))}
    row = next(row for row in range(len(found.window)) if found.counterpart[row] == OTHER and int(found.other[row]) in own)
    partner, place = own[int(found.other[row])], int((found.places[row] >= 0).nonzero().max())
    torch.testing.assert_close(batch["teacher"][row, place], plain["teacher"][partner, int(found.places[row, place])], rtol=1e-4, atol=1e-6)


def test_only_words_of_a_group_are_combined_where_asked() -> None:
    whole, restricted, plain = (
        targets(combiner={"kind": kind}, restrict_to_gendered_vocab=only) for kind, only in (("max", False), ("max", True), ("none", False))
    )
    neutral = ~vocabulary().gendered
    ratio = (restricted["teacher"] / plain["teacher"])[:, :, neutral]
    inside = plain["taught"] & (lessons().counterpart == OTHER).unsqueeze(1)
    spread = ratio[inside].amax(dim=-1) / ratio[inside].amin(dim=-1)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-3, atol=1e-3)  # all but normalised alike
    assert not torch.allclose(whole["teacher"][inside], restricted["teacher"][inside])


def test_a_constant_on_the_teachers_logits_changes_nothing() -> None:
    class Shifted(torch.nn.Module):
        tell_states = False

        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"lm": self.inner(**inputs)["lm"] + 5.0}

    taught = examples(**{**PLAIN, "combiner": {"kind": "exp-mean"}})
    shifted = replace(taught, targets=asked(taught.how, Shifted()))
    rows = torch.arange(6)
    torch.testing.assert_close(taught.batch(rows)["teacher"], shifted.batch(rows)["teacher"])


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_loss_is_its_formula(temperature: float) -> None:
    weights = {"kl": 0.7, "cross_entropy": 0.4, "hidden": 0.3}
    taught = examples(temperature=temperature, weights=weights, combiner={"kind": "mean"})
    student = network(seed=5, layers=1)
    student.tell_states = True  # type: ignore[assignment]
    rows = torch.arange(7)
    batch = taught.batch(rows)
    with torch.no_grad():
        logits = student(**network_inputs(batch))
    found = DistillationLoss(Distillation.model_validate({"temperature": temperature, "weights": weights}))(logits, batch)
    for row in range(len(rows)):
        length = int(batch["attention_mask"][row].sum())
        kl, ce, away, counted = 0.0, 0.0, 0.0, 0
        for place in range(length - 1):
            said, target = logits["lm"][row, place], batch["teacher"][row, place]
            ce += float(cross_entropy(said[None], batch["input_ids"][row, place + 1][None]))
            away += 1 - float(cosine_similarity(logits["states"][row, place], batch["teacher_states"][row, place], dim=0))
            if batch["taught"][row, place]:
                kl += float((target * (target.log() - (said / temperature).log_softmax(-1))).sum())
                counted += 1
        expected = 0.7 * temperature**2 * kl / counted + 0.4 * ce / (length - 1) + 0.3 * away / (length - 1)
        assert float(found[row]) == pytest.approx(expected, rel=1e-4)


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    batch = targets()
    with torch.no_grad():
        found = DistillationLoss(Distillation.model_validate(PLAIN))(network()(**network_inputs(batch)), batch)
        other = DistillationLoss(Distillation.model_validate(PLAIN))(network(seed=1)(**network_inputs(batch)), batch)
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-5, rtol=0)
    assert float(other.min()) > 0.1


@pytest.mark.parametrize("apply_to", ["original", "both"])
@pytest.mark.parametrize("kind", ["none", "exp-mean"])
def test_stored_targets_are_those_of_a_teacher_that_is_asked(kind: str, apply_to: str, tmp_path: Path) -> None:
    taught = examples(temperature=2.0, combiner={"kind": kind}, apply_to=apply_to)
    store(asked(taught.how, network()), lessons(), lessons().chosen(apply_to), None, tmp_path, lambda done, total: None)
    kept = replace(taught, targets=StoredTargets(tmp_path, "cpu"))
    rows = torch.arange(len(taught))
    one, other = taught.batch(rows), kept.batch(rows)
    torch.testing.assert_close(one["teacher"][one["taught"]], other["teacher"][one["taught"]], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one["entropy"][one["taught"]], other["entropy"][one["taught"]], atol=1e-4, rtol=1e-4)
    places = int((lessons().lengths[lessons().window[lessons().chosen(apply_to)]] - 1).sum())
    assert size_mib(places, encoder().vocabulary_size, None) == pytest.approx((tmp_path / KEPT).stat().st_size / 2**20, rel=0.01)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_what_is_not_stored_of_a_place_is_shared_evenly(temperature: float, tmp_path: Path) -> None:
    """The loss on kept tokens is that on the whole distribution which they stand for, and so is its gradient."""
    size, top = encoder().vocabulary_size, 40
    taught = examples(temperature=temperature, weights={"kl": 1, "cross_entropy": 0}, combiner={"kind": "mean"})
    store(asked(taught.how, network()), lessons(), lessons().chosen("original"), top, tmp_path, lambda done, total: None)
    kept = replace(taught, targets=StoredTargets(tmp_path, "cpu"))
    rows = torch.arange(5)
    few, full = kept.batch(rows), taught.batch(rows)
    exact = taught.targets.of(taught.chosen[rows], full["input_ids"].shape[1]).values.log_softmax(dim=-1)
    likeliest = exact.topk(top, dim=-1)
    rest = ((1 - likeliest.values.exp().sum(-1)).clamp(min=1e-30) / (size - top)).log()
    whole = rest.unsqueeze(-1).expand(exact.shape).contiguous().scatter(-1, likeliest.indices, likeliest.values)
    target = (whole / temperature).softmax(dim=-1)
    dense = {**full, "teacher": target, "entropy": -(target * target.log()).sum(-1)}
    gradients = []
    for batch in (few, dense):
        student = network(seed=5, layers=1)
        loss = DistillationLoss(taught.how)(student(**network_inputs(batch)), batch)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        gradients.append((loss.detach(), student.body.transformer.wte.weight.grad))  # type: ignore[union-attr]
    torch.testing.assert_close(gradients[0][0], gradients[1][0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(gradients[0][1], gradients[1][1], atol=1e-3, rtol=1e-2)
    places = int((lessons().lengths[lessons().window[lessons().chosen("original")]] - 1).sum())
    assert size_mib(places, size, top) == pytest.approx((tmp_path / KEPT).stat().st_size / 2**20, rel=0.01)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("engine", ["opacus-hooks", "opacus-ghost", "vmap"])
def test_engines_clip_a_distillation_loss_as_the_loop_does(engine: str, tmp_path: Path) -> None:
    taught = examples(temperature=2.0, combiner={"kind": "mean"})
    if engine == "opacus-hooks":
        store(asked(taught.how, network()), lessons(), lessons().chosen("original"), 30, tmp_path, lambda done, total: None)
        taught = replace(taught, targets=StoredTargets(tmp_path, "cpu"))
    batch = taught.batch(torch.arange(4))
    sums = {}
    for kind in ("loop", engine):
        student = network(seed=7, layers=1)
        student.whole_mask = True  # type: ignore[assignment]
        if engine == "opacus-ghost":
            head: Any = student.body.lm_head  # type: ignore[union-attr]
            head.weight = torch.nn.Parameter(head.weight.detach().clone())
        student.train()
        clipper = ENGINES.parse({"kind": kind}).clipper(student, CLIP_RULES.parse({"kind": "flat", "l2_clip_norm": 0.5}))  # type: ignore[attr-defined]
        clipper.loss = taught.loss
        sums[kind] = clipper.zeros()
        clipper.add(batch, sums[kind])
        clipper.close()
    for name, value in sums["loop"].items():
        torch.testing.assert_close(value, sums[engine][name], atol=1e-4, rtol=1e-3)
