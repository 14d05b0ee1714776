"""How to read a report: the terms that occur in it, for a reader who ran nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.comparison.comparison import AUC_CEILING, EPSILON, EVALUATION, MICRO_BATCH, NOISE_MULTIPLIER, Comparison
from tasks.comparison.guarantees import SIMULATED
from tasks.comparison.pareto import Front

MEANINGS = {
    "(epsilon, delta)-DP": "Differential privacy: with or without any one protected unit in the training data, no outcome of the training becomes more "
    "than e^epsilon times as likely, up to a probability of delta. Less is more private: epsilon 1 is a factor of 2.7, epsilon 8 one of 2,981.",
    "example-level": "What is protected is one training record. Somebody who gave k records is protected less: they cost about k times epsilon.",
    "user-level": "What is protected is everything that one user gave, however much.",
    "device-level": "What is protected is one device with all that it holds. Devices that a partition makes are no people, and a person whose records lie on "
    "several is protected less.",
    "epsilon by activity": "What the same noise costs a device of each tenth by activity, at the largest rate of any of them: who is asked more often "
    "pays more. It follows from people's activity and is not for release; the guarantee is that of a device at the activity cap.",
    "epsilon micro batch": "What the same noise gives to a micro-batch, a group of records that is clipped as one and is there or not as one. No person is "
    "one, so this is a weaker promise; of one record the epsilon is the other one.",
    "epsilon evaluation": "What the noisy scores that devices hand over while a model is trained cost by themselves, all together. It says nothing of the "
    "model: where the model is private too, epsilon covers both.",
    "add/remove": "The bound compares training data with and without the protected unit.",
    "replace one": "The bound compares training data in which the protected unit is exchanged for another.",
    "zero-out": "The bound compares training data with the protected unit and with an empty record in its place.",
    "noise multiplier": "Standard deviation of the noise over the norm to which one unit's gradient or update is clipped. More noise is a lower epsilon.",
    "simulated": "The guarantee that the same training would have with secret noise. Here the noise follows from a seed that anybody can know, "
    "so nobody is protected.",
    "not a guarantee": "Noise was added, but in a way for which no bound is known or none holds; the reason stands beside it. No epsilon is given.",
    "AUC of an attack": "How often the attack ranks a record of the training data above one that is not: 0.5 is guessing, 1 is always right. "
    "The blind AUC is reached without the model, from the records alone, so only what lies above it was learned from the model.",
    "AUC ceiling": "The largest AUC that any attack on a record's membership can have while the guarantee holds, from its whole curve of epsilon and "
    "delta. An attack that is measured above it disproves the guarantee.",
    "TPR at 1% FPR": "Share of the training records that the attack finds while it wrongly accuses 1 in 100 of the others. Guessing finds 1%.",
    "precision at 1% FPR": "Of those whom the attack calls members at that rate, the share who are, where few of those asked about are members: how much an "
    "accusation is worth.",
    "epsilon lower, ceiling": "What an audit proves: the training is not more private than the lower bound, at 95% for all audits of the run together; above "
    "the epsilon that is claimed it disproves the claim. More than its ceiling it could not have proved, so a bound of 0 under a low ceiling says little.",
    "canary exposure": "How much a model gives away of a secret that was planted in its training data, in bits: each halves the guesses until it is found. "
    "Chance gives 1.44; the most is the logarithm of the number of secrets.",
    "canary exact match, hamming": "Share of the planted secrets that an attack reads back whole, and share of their symbols that it gets wrong: chance finds "
    "hardly any, and gets nine in ten digits wrong.",
    "noise ratio": "Deviation of the noise that a training's own steps were seen to add, over the one that its guarantee counts on: 1 is right, less is less "
    "private than claimed. The noise p value is how often right noise would look at least as wrong.",
    "sensitivity ratio": "The furthest that one unit of the training data was seen to move what a step adds up, over what the guarantee allows. "
    "Above 1 the guarantee does not hold; below it, these data did not show that it fails.",
    "violations": "Tests of the mechanism that failed. A training with any does not have the guarantee that it claims; the reason names them.",
    "gain over a trivial model": "How much better the model is than one that says the same of every text, which was fitted on the same training records: the "
    "commonest label or tag, each word's own commonest tag, or how frequent each token or place is. 0 is no better.",
    "self labelled, self label accuracy": "Share of the records without a label to which devices give one by the final model, and share of these that are "
    "right. The second reads labels that training never sees.",
    "erased": "Devices that left with all they held. They score nothing any more, and the model's value on their test records stands apart.",
    "confounded": "Something other than what the number is named for may have made it. The reason stands below the tables.",
    "fairness difference": "Between groups, the number of the group that is served best less that of the group that is served worst; of a metric that "
    "has an ideal value, the distance from it. 0 is the ideal; small groups make it larger by chance alone, and 0 does not show that there is no bias.",
    "[low, high]": "A 95% interval: if the study were made again and again, 95 of 100 such intervals would hold the true value. "
    "What it is over stands below the tables.",
    "correlation of metrics": "Whether models that are more biased by one metric are more biased by another: 1 is the same order and spacing, 0 no relation, "
    "-1 the reverse. Each model is one point, so a few models show little.",
    "corrected p": "Of many tests some come out small by chance. Benjamini-Hochberg keeps the share of false findings among all findings to 5%, Holm "
    "the chance of even one.",
    "intrinsic, extrinsic": "An intrinsic metric judges a model's representations or its likelihoods of words; an extrinsic one the answers that a task "
    "gets of it.",
    "Pareto front": "The arms that no other arm beats: none is at least as good in every number that is weighed and better in one. "
    "It is made from means, so chance may put an arm on it or keep it off.",
}


def glossary(comparison: Comparison, front: Front | None) -> dict[str, str]:
    """Term and meaning, in the order in which they build on each other; only of terms that the report says."""
    occurring = {*_of_guarantees(comparison), *_of_metrics(comparison), *_of_values(comparison)}
    if front is not None:
        occurring.add("Pareto front")
    if comparison.correlations is not None:
        occurring |= {"correlation of metrics", "corrected p", "intrinsic, extrinsic"}
    if comparison.paired:
        occurring.add("corrected p")
    return {term: meaning for term, meaning in MEANINGS.items() if term in occurring}


def _of_guarantees(comparison: Comparison) -> Iterator[str]:
    for guarantee in comparison.guarantees.values():
        if "-DP" in guarantee:
            yield "(epsilon, delta)-DP"
        for term in ("example-level", "user-level", "device-level", "add/remove", "replace one", "zero-out"):
            if term in guarantee:
                yield term
        for term in (SIMULATED, "not a guarantee"):
            if guarantee.startswith(term):
                yield term


def _of_metrics(comparison: Comparison) -> Iterator[str]:
    terms = {
        "/auc": "AUC of an attack",
        "/tpr_at_1pct_fpr": "TPR at 1% FPR",
        "/precision_at_1pct_fpr": "precision at 1% FPR",
        "/epsilon_lower": "epsilon lower, ceiling",
        "exposure": "canary exposure",
        "/canary/exact_match": "canary exact match, hamming",
        "completion_exact_match": "canary exact match, hamming",
        "/noise_ratio": "noise ratio",
        "/sensitivity_ratio": "sensitivity ratio",
        "/violations": "violations",
        "/self_labelled": "self labelled, self label accuracy",
        "/self_label_accuracy": "self labelled, self label accuracy",
        "/erased_devices": "erased",
        "/erased": "erased",
        "/difference": "fairness difference",
        **dict.fromkeys(("_over_majority", "_over_most_frequent_tag", "_over_word_tags", "_below_unigram"), "gain over a trivial model"),
    }
    for metric in comparison.metrics():
        yield from (term for end, term in terms.items() if metric.endswith(end))
        if metric == EPSILON:
            yield "(epsilon, delta)-DP"
        if metric == f"{EPSILON}/decile_10":
            yield "epsilon by activity"
        if metric == MICRO_BATCH:
            yield "epsilon micro batch"
        if metric == EVALUATION:
            yield "epsilon evaluation"
        if metric == NOISE_MULTIPLIER:
            yield "noise multiplier"
        if metric == AUC_CEILING:
            yield "AUC ceiling"


def _of_values(comparison: Comparison) -> Iterator[str]:
    for values in comparison.arms.values():
        for value in values.values():
            if value.status == "confounded":
                yield "confounded"
            if value.low is not None:
                yield "[low, high]"
