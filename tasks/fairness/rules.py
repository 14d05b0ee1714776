"""Soundness rules of fairness evaluation (reference: the table of what is refused or labelled)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.fairness.metric import FAIRNESS, FairnessMetric
from tasks.models.ability import ABILITY_OF_TASK

WRITTEN = ("bold", "profession-polarity", "holistic-bias")
AUDITED = ("stereoset", "crows-pairs", "winobias")
NON_COMMERCIAL = ("weat", "seat", "ceat")
FEWEST, CONFIRMATORY = 5, 10
"""Models below which a correlation has no p and no interval, and below which it is exploratory."""

_BLODGETT = "Blodgett et al., ACL 2021"


def _metrics(facts: Facts) -> Iterator[Mapping[str, Any]]:
    yield from (found for found in facts.get("fairness") or () if isinstance(found, Mapping))


def _any(kind: str | tuple[str, ...], **fields: tuple[Any, ...]) -> Callable[[Facts], bool]:
    """Whether a metric of a kind is there, with one of some values in each of its fields."""
    kinds = (kind,) if isinstance(kind, str) else kind

    def when(facts: Facts) -> bool:
        return any(found.get("kind") in kinds and all(found.get(name) in values for name, values in fields.items()) for found in _metrics(facts))

    return when


def _unable(facts: Facts) -> bool:
    task = task_of(facts)
    abilities = set(ABILITY_OF_TASK.get(task, ())) if task is not None else None
    for found in _metrics(facts):
        member = FAIRNESS.members().get(str(found.get("kind")))
        required = set(member.requires) if member is not None and issubclass(member, FairnessMetric) else set()
        if abilities is not None and required and not required & abilities and found.get("where_unable") != "leave-out":
            return True
    return False


def _scorers(metric: Mapping[str, Any]) -> set[str]:
    """Kinds of what scores a metric's texts."""
    found = [*(metric.get("scorers") or ()), metric.get("polarity")]
    return {str(scorer.get("kind")) for scorer in found if isinstance(scorer, Mapping)}


def _causal(facts: Facts) -> bool:
    return task_of(facts) == "lm" and _any(("crows-pairs", "ilps"))(facts)


def _published_words(facts: Facts) -> bool:
    return any(found.get("kind") in NON_COMMERCIAL and found.get("words") is None for found in _metrics(facts))


def _trials(facts: Facts) -> int | None:
    trials, seeds = facts.get("sweep.trials"), facts.get("sweep.seeds", 1)
    return None if trials is None else int(trials) // max(1, int(seeds))


def _models_below(low: int, high: int) -> Callable[[Facts], bool]:
    def when(facts: Facts) -> bool:
        models = _trials(facts)
        return facts.get("correlation") is not None and models is not None and low <= models < high

    return when


def _raw(facts: Facts) -> bool:
    return _any("prediction-sensitivity", form=("raw", "length-normalised"))(facts)


def _raw_of_many(facts: Facts) -> bool:
    return _raw(facts) and (_trials(facts) or 1) > 1


def _of_members(facts: Facts) -> bool:
    reads = any(found.get("kind") == "mdl-extractability" and found.get("data") is None and found.get("split") == "train" for found in _metrics(facts))
    return reads and facts.get("privacy.kind", "none") != "none"


RULES = (
    Rule(
        id="FAIR-01",
        when=_unable,
        verdict="refuse",
        sentence="a fairness metric asks what this model cannot answer (masked or causal tokens, or labels): change the metric, or data.task",
        source="Kurita et al. 2019; Nadeem et al. 2021; Nangia et al. 2020",
        path="fairness",
    ),
    Rule(
        id="FAIR-02",
        when=_causal,
        verdict="label",
        sentence="a masked-language-model metric on a causal model is its likelihood variant: an adaptation, not comparable with published numbers",
        source="Nangia et al., EMNLP 2020",
        path="fairness",
    ),
    Rule(
        id="FAIR-03",
        when=_any("ceat"),
        verdict="label",
        sentence="CEAT contexts are not the paper's, which cannot be shared: an adaptation, not comparable with published numbers",
        source="Guo and Caliskan, AIES 2021",
        path="fairness",
    ),
    Rule(
        id="FAIR-04",
        when=_any("ilps", prior_slot=("other",)),
        verdict="label",
        sentence="the prior is read at the other mask, as the reference code does and the paper does not",
        source="Kurita et al., GeBNLP 2019",
        path="fairness",
    ),
    Rule(
        id="FAIR-05",
        when=_any("stereoset", form=("intersentence-generative",)),
        verdict="label",
        sentence="StereoSet between sentences without the authors' next-sentence head is an adaptation",
        source="Nadeem et al., ACL 2021",
        path="fairness",
    ),
    Rule(
        id="FAIR-06",
        when=_any(AUDITED),
        verdict="label",
        sentence="the validity of StereoSet, CrowS-Pairs and WinoBias as measures of bias is disputed: no bias found is not fairness",
        source=_BLODGETT,
        path="fairness",
    ),
    Rule(
        id="FAIR-07",
        when=_raw_of_many,
        verdict="refuse",
        sentence="raw prediction sensitivity grows with the size of vectors and with length, so that it compares no models: write form: share",
        source="Krishna et al., ACL 2022; derived",
        path="fairness",
    ),
    Rule(
        id="FAIR-08",
        when=_models_below(0, FEWEST),
        verdict="label",
        sentence=f"a correlation over fewer than {FEWEST} models has no p and no interval",
        source="derived: power of a correlation",
        path="correlation",
    ),
    Rule(
        id="FAIR-09",
        when=_models_below(FEWEST, CONFIRMATORY),
        verdict="label",
        sentence=f"a correlation over fewer than {CONFIRMATORY} models is exploratory",
        source="derived: power of a correlation",
        path="correlation",
    ),
    Rule(
        id="FAIR-10",
        when=_published_words,
        verdict="label",
        sentence="the word lists of WEAT and SEAT are for non-commercial use (CC BY-NC 4.0); give words of your own for other uses",
        source="May et al., NAACL 2019",
        path="fairness",
    ),
    Rule(
        id="FAIR-11",
        when=_of_members,
        verdict="label",
        sentence="mdl-extractability reads the training records, which its numbers then tell of: epsilon does not cover them; write split: test",
        source="derived: what is computed from members after training is another release",
        path="fairness",
    ),
    Rule(
        id="FAIR-12",
        when=lambda facts: _raw(facts) and not _raw_of_many(facts),
        verdict="label",
        sentence="raw prediction sensitivity grows with the size of vectors and with length: no other model's may be held against it",
        source="Krishna et al., ACL 2022; derived",
        path="fairness",
    ),
    Rule(
        id="FAIR-13",
        when=_any(WRITTEN),
        verdict="label",
        sentence="the model, decoding and word vectors behind published numbers on written text are not known: an adaptation, comparable within a study",
        source="Dhamala et al., FAccT 2021; Gupta et al., Findings of ACL 2022",
        path="fairness",
    ),
    Rule(
        id="FAIR-14",
        when=lambda facts: any("regard" in _scorers(found) for found in _metrics(facts)),
        verdict="label",
        sentence="regard is told by a classifier of the study's own texts: the authors' texts have no licence",
        source="Sheng et al., EMNLP 2019",
        path="fairness",
    ),
)
