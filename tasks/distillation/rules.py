"""Soundness rules of distillation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data._bold import DOMAINS
from tasks.fairness.mitigation import MITIGATIONS, Mitigation
from tasks.models.model import LOADED

CLAIMED = ("public_size", "attack_holdout", "population", "limit", "task")


def _private(facts: Facts) -> bool:
    return facts.get("distillation") is not None and bool(facts.get("privacy.kind", "none") != "none")


def _loaded(facts: Facts) -> bool:
    return facts.get("teacher.kind") in LOADED and facts.get("teacher_training") is None


def _teacher_saw_the_records(facts: Facts) -> bool:
    if not _private(facts) or _loaded(facts):
        return False
    read, private = facts.get("teacher_data"), _sources(facts.get("data"))
    return read is None or any(source in private for source in _sources(read))


def _parts(block: Any) -> Iterator[Mapping[str, Any]]:
    """A data block, or the parts of a mixture."""
    if isinstance(block, Mapping):
        if block.get("parts"):
            for part in block["parts"]:
                yield from _parts(part)
        else:
            yield block


def _sources(block: Any) -> list[dict[str, Any]]:
    """What records a data block names, without how many are claimed of them; of a mixture each part's."""
    return [{name: value for name, value in part.items() if name not in CLAIMED} for part in _parts(block)]


def _fitted_on_members(facts: Facts) -> bool:
    member = MITIGATIONS.members().get(str(facts.get("mitigation.kind")))
    return member is not None and issubclass(member, Mitigation) and member.reads_training_texts


def _without_output_swap(facts: Facts) -> bool:
    combines = facts.get("distillation.combiner.kind", "none") != "none"
    return combines and facts.get("distillation.swap_output_vocab") is False and not facts.get("distillation.restrict_to_gendered_vocab")


def _prompts_were_read(facts: Facts) -> bool:
    read = [part for name in ("data", "teacher_data") for part in _parts(facts.get(name)) if part.get("kind") == "bold-wikipedia"]
    for metric in facts.get("fairness") or ():
        if isinstance(metric, Mapping) and metric.get("kind") in ("bold", "profession-polarity") and metric.get("items", "bold") == "bold":
            asked = {"profession"} if metric["kind"] == "profession-polarity" else set(metric.get("domains") or DOMAINS)
            of_both = [part for part in read if asked & set(part.get("domains") or DOMAINS)]
            shares = {part.get("test_share") if part.get("by") == "title" and part.get("split") != "test" else None for part in of_both}
            if of_both and (metric.get("held_out") is None or shares != {metric.get("held_out")}):
                return True
    return False


RULES = (
    Rule(
        id="DISTIL-01",
        when=_teacher_saw_the_records,
        verdict="refuse",
        sentence="the teacher reads the private records without privacy, and the student learns what it says: name other, public records in teacher_data",
        source="derived: the student is a function of the teacher, whose training no budget was charged for",
        path="privacy",
    ),
    Rule(
        id="DISTIL-02",
        when=lambda facts: _private(facts) and not _teacher_saw_the_records(facts),
        verdict="label",
        sentence="epsilon covers the records that the student learns on, and holds only if the teacher never read them",
        source="derived: what the teacher was trained on is outside the student's account",
        path="teacher",
    ),
    Rule(
        id="DISTIL-03",
        when=_without_output_swap,
        verdict="label",
        sentence="without swap_output_vocab a pronoun after one of the same person drifts to even odds, and nothing changes before the first word of a group",
        source="derived: reference on counterfactual distillation; 'He ... his' is combined with 'She ... her'",
        path="distillation.swap_output_vocab",
    ),
    Rule(
        id="DISTIL-04",
        when=lambda facts: _private(facts) and _fitted_on_members(facts),
        verdict="refuse",
        sentence="an eraser is fitted on the training texts, which epsilon does not cover: leave mitigation out of a private arm",
        source="derived: what is computed from members after training is another release",
        path="mitigation",
    ),
    Rule(
        id="DISTIL-05",
        when=lambda facts: facts.get("distillation") is not None and facts.get("distillation.targets.top_k") is not None,
        verdict="label",
        sentence="only the teacher's likeliest tokens are kept of each place; the others share evenly what is left",
        source="derived: an approximation of the teacher's distribution",
        path="distillation.targets.top_k",
    ),
    Rule(
        id="DISTIL-06",
        when=_prompts_were_read,
        verdict="label",
        sentence="prompts of BOLD begin sentences that are trained on: give the data by: title, and the metric held_out with the data's test_share",
        source="derived: a model that has read the sentence goes on with it from memory",
        path="fairness",
    ),
)
