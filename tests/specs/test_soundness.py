"""Every soundness rule has a case in which it applies and one, as near as can be, in which it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from specs.kinds import kinds, study_class
from specs.soundness import all_rules, findings
from tasks.core.rules import Facts, Rule, Stage, check
from tests.specs.attack_cases import ATTACK_CASES, MORE
from tests.specs.federated_cases import ATTACKS, FEDERATED_CASES, FEDERATED_MORE, MECHANISM, federated, secured
from tests.specs.given import SMALL, loaded, refused

Values = dict[str, Any]
STAGES: tuple[Stage, ...] = get_args(Stage)


def learnt_on(corpus: str) -> Values:
    return {"model": {"kind": "bilstm", "tokenizer": {"kind": "trained", "corpus": {"kind": corpus}}}}


def counted(public_size: int, train: int) -> Values:
    return {"data": {"kind": "files", "public_size": public_size}, "facts": {"counts": {"train": train}}}


def private(privacy: Values | None = None, **others: Any) -> Values:
    """A private trial; ``privacy`` holds what is not the default."""
    usual = {"kind": "dp-sgd", "target_epsilon": 3.0, "adjacency": "add-remove", "accountant": "pld"}
    parts = {"sampler": {"kind": "poisson"}, "noise": {"kind": "constant"}, "clipping": engine("opacus-ghost")}
    return {"data": {"kind": "clinc150", "public_size": 1000}, "privacy": {**usual, **parts, **(privacy or {})}, **others}


def engine(kind: str) -> Values:
    return {"engine": {"kind": kind}}


def clipped_by(kind: str, rule: str = "flat", **others: Any) -> Values:
    return private({"clipping": {**engine(kind), "rule": {"kind": rule}}}, **others)


def in_turn(separation: int, bands: int = 1, rule: str = "flat") -> Values:
    """A trial of ten groups that take turns."""
    noise = {"kind": "banded", "bands": bands} if bands > 1 else {"kind": "constant"}
    parts = {"sampler": {"kind": "cyclic", "separation": separation}, "noise": noise, "clipping": {"rule": {"kind": rule}}}
    return private(parts, training={"expected_batch_size": 100})


def built(kind: str = "opacus-ghost", **facts: Any) -> Values:
    """What is known of a network when it was built."""
    return {"privacy": private({"clipping": engine(kind)})["privacy"], "facts": {"cross_example": None, "tied": None, "base": None, **facts}}


def taught(distillation: Values | None = None, **others: Any) -> Values:
    """A student's trial."""
    return {"data": {"kind": "clinc150"}, "teacher": {"kind": "gpt2"}, "student": {"kind": "gpt2"}, "distillation": distillation or {}, **others}


PRIVATE: Values = {"kind": "dp-sgd"}
PAGES: Values = {"kind": "mixture", "parts": [{"kind": "wikitext-2"}, {"kind": "bold-wikipedia", "by": "title", "test_share": 0.2}]}


def asked(metric: Values, task: str = "mlm") -> Values:
    return {"models": [{"label": "m", "data": {"kind": "wikitext-2", "task": task}}], "fairness": [metric]}


def masked_by(tokenizer: str) -> Values:
    return {"models": [{"label": "m", "model": {"kind": "bert", "tokenizer": {"kind": tokenizer}}, "data": {"kind": "wikitext-2", "task": "mlm"}}]}


def spelled_by(tokenizer: str) -> Values:
    return {"model": {"kind": "bilstm", "characters": {"size": 16}, "tokenizer": {"kind": tokenizer}}}


def trained_with(field: str, task: str) -> Values:
    return {"training": {field: {"table": {"kind": "gender"}}}, "data": {"kind": "files", "task": task}}


RAW = asked({"kind": "prediction-sensitivity", "form": "raw"})


def correlated(models: int) -> Values:
    return {"correlation": {"between": ["intrinsic", "extrinsic"]}, "sweep": {"trials": 3 * models, "seeds": 3}}


def tonight(labels: list[str], incomparable: str = "refuse", role: str = "candidate") -> Values:
    """A night whose champion knows labels a and b."""
    night = {"role": role, "champion": {"labels": ["a", "b"], "slots": []}}
    return {"champion": {"incomparable": incomparable}, "night": night, "facts": {"labels": labels, "slots": []}}


SHUFFLE = {"sampler": {"kind": "shuffle"}}
FIXED = {"sampler": {"kind": "fixed-size"}}
BY_USER = {"unit": {"kind": "user"}}
SEARCH = {"kind": "random-stopping"}

CASES: dict[str, tuple[Values, Values]] = {
    "ATTACK-01": ({"attacks": ATTACKS, "data": {"attack_holdout": 99}}, {"attacks": ATTACKS, "data": {"attack_holdout": 100}}),
    "ATTACK-02": ({"attacks": ATTACKS, "data": {"kind": "snips"}}, {"attacks": ATTACKS, "data": {"kind": "snips", "public_size": 90, "attack_holdout": 10}}),
    "ATTACK-03": (
        {**federated("uniform", secure_aggregation={}), "attacks": MECHANISM},
        {**federated("uniform", engine={"kind": "in-process"}), "attacks": MECHANISM},
    ),
    "ATTACK-04": (taught(attacks=MECHANISM), taught(attacks=ATTACKS)),
    "DATA-02": ({"data": {"public_size": 10, "attack_holdout": 11}}, {"data": {"public_size": 10, "attack_holdout": 10}}),
    "DATA-03": (counted(100, 89), counted(100, 90)),
    "DISTIL-01": (taught(privacy=PRIVATE), taught(privacy=PRIVATE, teacher_data={"kind": "wikitext-2"})),
    "DISTIL-02": (taught(privacy=PRIVATE, teacher={"kind": "pretrained"}), taught(teacher={"kind": "pretrained"})),
    "DISTIL-03": (taught({"combiner": {"kind": "mean"}, "swap_output_vocab": False}), taught({"combiner": {"kind": "none"}, "swap_output_vocab": False})),
    "DISTIL-04": (taught(privacy=PRIVATE, mitigation={"kind": "erase"}), taught(privacy=PRIVATE, mitigation={"kind": "self-debias"})),
    "DISTIL-05": (taught({"targets": {"top_k": 50}}), taught({"targets": {"top_k": None}})),
    "DISTIL-06": (taught(data=PAGES, fairness=[{"kind": "bold", "held_out": 0.1}]), taught(data=PAGES, fairness=[{"kind": "bold", "held_out": 0.2}])),
    "FAIR-01": (asked({"kind": "stereoset"}, task="intent"), asked({"kind": "stereoset"}, task="mlm")),
    "FAIR-02": (asked({"kind": "crows-pairs"}, task="lm"), asked({"kind": "crows-pairs"}, task="mlm")),
    "FAIR-03": (asked({"kind": "ceat"}), asked({"kind": "seat"})),
    "FAIR-04": (asked({"kind": "ilps", "prior_slot": "other"}), asked({"kind": "ilps", "prior_slot": "target"})),
    "FAIR-05": (asked({"kind": "stereoset", "form": "intersentence-generative"}), asked({"kind": "stereoset", "form": "intrasentence"})),
    "FAIR-06": (asked({"kind": "winobias"}), asked({"kind": "bbq"})),
    "FAIR-07": ({**RAW, "sweep": {"trials": 6, "seeds": 3}}, {**RAW, "sweep": {"trials": 3, "seeds": 3}}),
    "FAIR-08": (correlated(4), correlated(5)),
    "FAIR-09": (correlated(9), correlated(10)),
    "FAIR-10": (asked({"kind": "weat"}), asked({"kind": "weat", "words": {"x": ["she"]}})),
    "FAIR-11": (
        private(fairness=[{"kind": "mdl-extractability", "split": "train"}]),
        private(fairness=[{"kind": "mdl-extractability", "split": "test"}]),
    ),
    "FAIR-12": ({**RAW, "sweep": {"trials": 3, "seeds": 3}}, asked({"kind": "prediction-sensitivity", "form": "share"})),
    "FAIR-13": (asked({"kind": "bold"}, "lm"), asked({"kind": "stereoset"}, "lm")),
    "FAIR-14": (
        asked({"kind": "bold", "scorers": [{"kind": "sentiment"}, {"kind": "regard"}]}, "lm"),
        asked({"kind": "bold", "scorers": [{"kind": "toxicity"}]}, "lm"),
    ),
    "MODEL-01": (
        {"data": {"kind": "synthetic-assistant", "task": "joint"}, "model": {"kind": "linear"}},
        {"data": {"kind": "synthetic-assistant", "task": "intent"}, "model": {"kind": "linear"}},
    ),
    "MODEL-02": (masked_by("hashing"), masked_by("bytes")),
    "MODEL-03": (spelled_by("hashing"), spelled_by("pretrained")),
    "MODEL-04": (
        {"data": {"kind": "xquad"}, "model": {"kind": "bert"}, "facts": {"counts": {"train": 9_999}}},
        {"data": {"kind": "xquad"}, "model": {"kind": "pretrained"}, "facts": {"counts": {"train": 9_999}}},
    ),
    "NIGHT-01": (tonight(["a", "c"]), tonight(["a", "b"])),
    "NIGHT-02": (tonight(["a"], "pass", "champion"), tonight(["a"], "pass")),
    "NIGHT-03": ({"kind": "retraining-audit"}, {"kind": "dp-training"}),
    "PRIV-01": (private(data={"kind": "clinc150"}), private()),
    "PRIV-02": (private(SHUFFLE), private({**SHUFFLE, "adjacency": "zero-out"})),
    "PRIV-03": (private({**SHUFFLE, "adjacency": "zero-out"}), private({"adjacency": "zero-out"})),
    "PRIV-04": (private({"adjacency": "replace-one", "accountant": "rdp"}), private({"adjacency": "zero-out", "accountant": "rdp"})),
    "PRIV-05": (private({"accountant": "gdp"}), private({"accountant": "prv"})),
    "PRIV-06": (private({"accountant": "prv", "target_epsilon": 10.1}), private({"accountant": "prv", "target_epsilon": 10.0})),
    "PRIV-07": (private({"delta": 1.001e-3}), private({"delta": 1e-3})),
    "PRIV-08": (private({"delta": 1e-3}, facts={"counts": {"train": 1001}}), private({"delta": 1e-3}, facts={"counts": {"train": 1000}})),
    "PRIV-09": (private(sweep={"trials": 2}), private(sweep={"trials": 2}, search=SEARCH)),
    "PRIV-10": (built(cross_example="encoder.norm"), built()),
    "PRIV-11": (clipped_by("opacus-ghost", model={"kind": "gpt2"}), clipped_by("opacus-hooks", model={"kind": "gpt2"})),
    "PRIV-12": (built(tied="embedding.weight and head.weight"), built("opacus-hooks", tied="embedding.weight and head.weight")),
    "PRIV-13": (clipped_by("vmap", model={"kind": "bert"}), clipped_by("vmap", model={"kind": "bilstm"})),
    "PRIV-14": (clipped_by("opacus-ghost", training={"precision": "bf16"}), clipped_by("opacus-hooks", training={"precision": "bf16"})),
    "PRIV-15": (private(training={"early_stopping": {"patience": 3}}), private(training={"early_stopping": None})),
    "PRIV-16": (private(data={"kind": "files", "public_size": 1000}), private()),
    "PRIV-17": (built(base={"private": True, "guarantee": "example-level (3, 1e-05)-DP, add/remove"}), built(base={"private": False, "guarantee": "none"})),
    "PRIV-18": (private(model={"kind": "pretrained"}), private(model={"kind": "bert"})),
    "PRIV-19": (private(search=SEARCH), private({"accountant": "rdp"}, search=SEARCH)),
    "PRIV-20": ({"privacy": {"kind": "none"}, "search": SEARCH}, private(search=SEARCH)),
    "PRIV-21": (private({"accountant": "rdp"}, search=SEARCH), private({"accountant": "rdp"}, search=None)),
    "PRIV-22": (private(training={"expected_batch_size": 1001}), private(training={"expected_batch_size": 1000})),
    "PRIV-23": ({"search": SEARCH, "facts": {"counts": {"test": 9}}}, {"search": SEARCH, "facts": {"counts": {"validation": 9, "test": 9}}}),
    "PRIV-24": (
        private(randomness="secret"),
        private(randomness="secret", data={"kind": "clinc150", "public_size": 1000, "population": "clinc-speakers"}),
    ),
    "PRIV-25": (clipped_by("micro-batch"), clipped_by("book-keeping")),
    "PRIV-26": (private({**FIXED, "accountant": "rdp"}), private({**FIXED, "adjacency": "replace-one", "accountant": "rdp"})),
    "PRIV-27": (private(FIXED, facts={"counts": {"train": 999}}), private(FIXED, facts={"counts": {"train": 1000}})),
    "PRIV-28": (in_turn(11), in_turn(10)),
    "PRIV-29": (in_turn(7, bands=8), in_turn(8, bands=8)),
    "PRIV-30": (in_turn(8, bands=8, rule="adaptive-quantile"), in_turn(8, bands=8, rule="flat")),
    "PRIV-31": (clipped_by("opacus-ghost", "per-layer"), clipped_by("book-keeping", "per-layer")),
    "PRIV-32": (private({**BY_USER, "clipping": engine("opacus-hooks")}), private({**BY_USER, "clipping": engine("book-keeping")})),
    "PRIV-33": (private(BY_USER, facts={"counts": {"train": 9}}), private(BY_USER, facts={"counts": {"train": 9}, "users": {"train": 3}})),
    "PRIV-34": (
        private(BY_USER, data={"kind": "ubuntu-irc", "public_size": 1000, "attack_holdout": 100}),
        private(BY_USER, data={"kind": "ubuntu-irc", "public_size": 1000}),
    ),
    "PRIV-35": (
        clipped_by("opacus-hooks", training={"activation_checkpointing": True}),
        clipped_by("micro-batch", training={"activation_checkpointing": True}),
    ),
    "STUDY-01": ({"randomness": "secret", "privacy": {"kind": "none"}}, {"randomness": "secret", "privacy": {"kind": "dp-sgd"}}),
    "TEXT-01": (learnt_on("clinc150"), learnt_on("wikitext-2")),
    "TRAIN-01": (trained_with("augmentation", "joint"), trained_with("augmentation", "intent")),
    "TRAIN-02": (
        {"federation": {"client": {"augmentation": {"sides": "two"}}}, "data": {"kind": "snips", "task": "tagging"}},
        {"federation": {"client": {"augmentation": {"sides": "two"}}}, "data": {"kind": "wikitext-2", "task": "lm"}},
    ),
    "TRAIN-03": ({**trained_with("augmentation", "lm"), "distillation": {"temperature": 2.0}}, trained_with("augmentation", "lm")),
    "TRAIN-04": (private(training={"pairing": {"weight": 1.0}}), private(training={"pairing": None})),
    "TRAIN-05": (trained_with("pairing", "joint"), trained_with("pairing", "intent")),
    "TRAIN-06": ({"teacher_training": {"pairing": {"weight": 1.0}}}, {"teacher_training": {"augmentation": {"sides": "two"}}}),
    "TRAIN-07": (
        {"training": {"activation_checkpointing": True}, "model": {"kind": "bilstm"}},
        {"training": {"activation_checkpointing": True}, "model": {"kind": "bert"}},
    ),
    "UTILITY-01": (
        {"data": {"kind": "clinc150"}, "utility": [{"kind": "accuracy"}, {"kind": "slot-f1"}]},
        {"data": {"kind": "snips", "task": "joint"}, "utility": [{"kind": "accuracy"}, {"kind": "slot-f1"}]},
    ),
    "UTILITY-02": (
        {"data": {"kind": "wnut17"}, "utility": [{"kind": "slot-f1"}, {"kind": "baseline-gain", "over": "majority"}]},
        {"data": {"kind": "wnut17"}, "utility": [{"kind": "slot-f1"}, {"kind": "baseline-gain", "over": "word-tags"}]},
    ),
    **ATTACK_CASES,
    **FEDERATED_CASES,
}
"""Rule to the facts of a trial for which it applies, and of one for which it does not."""


def without_a_case(rules: Mapping[str, Rule], cases: Mapping[str, Any]) -> set[str]:
    return set(rules) ^ set(cases)


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert not without_a_case(all_rules(), CASES)


def test_a_rule_without_a_case_is_noticed() -> None:
    assert without_a_case(all_rules(), {name: case for name, case in CASES.items() if name != "TEXT-01"}) == {"TEXT-01"}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_applies_where_it_should_and_nowhere_else(name: str) -> None:
    rule = all_rules()[name]
    applies, does_not = CASES[name]
    assert rule.when(Facts(applies))
    assert not rule.when(Facts(does_not))
    assert not rule.when(Facts({}))


@pytest.mark.parametrize(("name", "applies", "values"), [*MORE, *FEDERATED_MORE])
def test_a_rule_of_attacks_knows_its_neighbours(name: str, applies: bool, values: Values) -> None:
    assert all_rules()[name].when(Facts(values)) is applies


@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_found_at_its_stage_alone(name: str) -> None:
    applies, _ = CASES[name]
    rule = all_rules()[name]
    for stage in STAGES:
        assert (rule in [finding.rule for finding in findings(applies, stage)]) is (rule.stage == stage)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=name) for name, rule in all_rules().items()])
def test_a_rule_says_what_to_do_why_and_where(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]+-[0-9]{2}", rule.id)
    assert len(rule.sentence) > 30 and len(rule.source) > 20
    assert (rule.sentence + rule.source).isprintable()
    fields = {field for kind in kinds() for field in study_class(kind).model_fields}
    assert rule.path.split(".")[0] in fields


def test_every_stage_has_a_rule() -> None:
    assert {rule.stage for rule in all_rules().values()} == set(STAGES)


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("ATTACK-02", {"attacks": [*MECHANISM, *ATTACKS], "data": {"kind": "snips"}}),
        ("ATTACK-02", {"attacks": [{"kind": "of another distribution"}], "data": {"kind": "snips"}}),
        ("FED-01", federated("threshold", "hajek")),
        ("FED-02", federated("round-robin", "horvitz-thompson")),
        ("FED-01", federated("oort", "horvitz-thompson")),
        ("FED-02", federated("least-recent", "horvitz-thompson")),
        ("FED-03", federated("multinomial")),
        ("FED-04", federated("uniform", "horvitz-thompson", stragglers={"over_selection": 1.3})),
        ("FED-04", federated("uniform", "horvitz-thompson", stragglers={"deadline_seconds": 2.0})),
        ("FED-05", federated("activity-proportional", "hajek", "label-dirichlet")),
        ("FED-06", federated("threshold")),
        ("FED-06", federated("afl")),
        *(("FED-30", secured(selection)) for selection in ("afl", "oort", "power-of-choice")),
        ("FED-34", secured(cohort_size=2)),
        ("STUDY-01", {**federated("uniform"), "randomness": "secret"}),
        ("PRIV-04", private({"adjacency": "replace-one", "accountant": "prv"})),
        ("DISTIL-01", taught(privacy=PRIVATE, data={"kind": "wikitext-2", "public_size": 90}, teacher_data={"kind": "wikitext-2"})),
        ("DISTIL-01", taught(privacy=PRIVATE, data=PAGES, teacher_data={"kind": "wikitext-2"})),
        ("PRIV-06", private({"accountant": "prv", "adjacency": "zero-out", **SHUFFLE})),
        ("PRIV-06", private({"accountant": "prv", "noise": {"kind": "falling"}})),
        ("PRIV-08", private({"delta": None}, facts={"counts": {"train": 10_001}})),
        ("PRIV-04", private({**FIXED, "adjacency": "replace-one", "accountant": "prv"})),
        ("PRIV-08", private({"delta": 1e-3, **BY_USER}, facts={"counts": {"train": 9}, "users": {"train": 1001}})),
        ("PRIV-17", built(base={"private": None, "guarantee": "none"})),
        ("PRIV-26", private({**FIXED, "adjacency": "replace-one"})),
        ("PRIV-27", private({"sampler": {"kind": "truncated-poisson"}}, facts={"counts": {"train": 1001}})),
        ("PRIV-29", private({"noise": {"kind": "banded", "bands": 2}})),
        ("PRIV-32", private({**BY_USER, "clipping": engine("micro-batch")})),
        ("PRIV-19", private({"accountant": "prv"}, search=SEARCH)),
    ],
)
def test_a_rule_applies_also_where_the_case_is_less_plain(name: str, applies: Values) -> None:
    assert all_rules()[name].when(Facts(applies))


@pytest.mark.parametrize("size", [100, 9_999, 10_000])
def test_the_delta_that_is_left_out_is_held_against_the_records_too(size: int) -> None:
    trial = private({"delta": None}, facts={"counts": {"train": size}})
    assert not [finding for finding in findings(trial, "data") if finding.rule.id == "PRIV-08"]


def test_an_attack_that_compares_no_pools_needs_no_non_members() -> None:
    trial = {**private(BY_USER, attacks=MECHANISM, model={"kind": "bilstm"}), **built()}
    assert not [finding for stage in STAGES for finding in findings(trial, stage) if finding.rule.verdict == "refuse"]


@pytest.mark.parametrize(("task", "size", "labelled"), [("seq2seq", 9_999, True), ("seq2seq", 10_000, False), ("tagging", 500, False)])
def test_little_data_is_labelled_only_where_a_model_answers_or_writes(task: str, size: int, labelled: bool) -> None:
    trial = {"data": {"kind": "files", "task": task}, "model": {"kind": "bart"}, "facts": {"counts": {"train": size}}}
    assert ("MODEL-04" in [finding.rule.id for finding in findings(trial, "data")]) is labelled


def test_a_usual_private_trial_is_refused_nowhere() -> None:
    trial = {**private(model={"kind": "bilstm"}, training={"expected_batch_size": 64}), **built()}
    assert not [finding for stage in STAGES for finding in findings(trial, stage)]


def test_a_refusal_names_its_rule_and_its_place(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, SMALL + "randomness: secret\n")
    assert (found.line, found.path) == (5, "randomness") and found.message.endswith("[STUDY-01]")


def test_a_refusal_in_an_arm_is_told_in_the_arm(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, SMALL + "sweep:\n  arms:\n    a: {}\n    b: {data.task: joint}\n")
    assert (found.line, found.path) == (4, "model.kind") and "[MODEL-01]" in found.message
    joint = SMALL.replace("task: intent", "task: joint").replace("{kind: linear}", "{kind: bilstm}")
    (found,) = refused(tmp_path, joint + "sweep:\n  arms:\n    a: {}\n    b: {model: {kind: gpt2}}\n")
    assert (found.line, found.path) == (8, "sweep.arms.b.model.kind") and "[MODEL-01]" in found.message


def test_a_label_marks_and_does_not_refuse(tmp_path: Path) -> None:
    tokenizer = "{kind: trained, vocabulary: 300, corpus: {kind: clinc150}}"
    found = loaded(tmp_path, SMALL.replace("{kind: linear}", f"{{kind: linear, tokenizer: {tokenizer}}}"))
    (label,) = found.labels
    assert label.finding.rule.id == "TEXT-01" and str(label).endswith("[TEXT-01] (arms: main)")


def test_rules_are_checked_in_their_order() -> None:
    applies = {key: value for case, _ in CASES.values() for key, value in case.items()}
    found = [finding.rule.id for finding in check(all_rules().values(), Facts(applies), "spec")]
    assert found == sorted(found) and found
