"""The names that a number may have: the table of the design, with what its README adds to it. A word of a name has '_' where a kind has '-'."""

from __future__ import annotations

import re

WORD = "[a-z0-9]+(_[a-z0-9]+)*"
ATTACK = "auc|precision_at_1pct_fpr|tpr_at_1pct_fpr|tpr_at_01pct_fpr|blind_auc|auc_above_blind|epsilon_lower|epsilon_ceiling"
MECHANISM = "noise_ratio|noise_p_value|sensitivity_ratio|violations"
SPENT = "epsilon(/decile_(10|[1-9]))?|epsilon_evaluation|delta|noise_multiplier|auc_ceiling|epsilon_study|epsilon_lifetime(/[A-Za-z0-9._-]+)?"
GAIN = "accuracy_over_majority|slot_f1_over_most_frequent_tag|slot_f1_over_word_tags|loss_below_unigram"
UTILITY = f"accuracy|macro_f1|slot_f1|exact_match|token_f1|rouge_l|bits_per_byte|perplexity|distinct_n|loss|{GAIN}"
COST = (
    "train_seconds|examples_per_second|step_seconds|round_seconds|peak_memory_mib|uploaded_mib|downloaded_mib|device_flops|extra_flops|queries"
    "|server_memory_mib"
)
FEDERATED = (
    "coverage|record_coverage|participation_gini|effective_cohort_size|capped_weights|rounds_to_target|uploaded_mib_to_target|rounds_to_catch_up"
    "|erased_devices|self_labelled|self_label_accuracy|average_performance|forgetting|backward_transfer|area_under_curve|rate/decile_(10|[1-9])"
)
STRATUM = "decile_(10|[1-9])|erased|device_mean|device_worst_decile"
DISPARITY = "difference|ratio|worst_group|spread|score|by_group/[A-Za-z0-9_.-]+"

FAMILIES = {
    "privacy": rf"{SPENT}|{WORD}/({ATTACK}|{MECHANISM})|canary/(exposure|exact_match|hamming)",
    "utility": rf"({UTILITY})(/({STRATUM}))?",
    "federated": FEDERATED,
    "fairness": rf"{WORD}(/{WORD}){{0,2}}/({DISPARITY})",
    "cost": COST,
    "distillation": "texts_reversed|places_left_out",
    "train": WORD,
}
NAME = re.compile("|".join(rf"{family}/({names})" + ("" if family == "train" else "(_low|_high)?") for family, names in FAMILIES.items()))


def unfit(name: str) -> bool:
    """Whether no number may have this name."""
    return NAME.fullmatch(name) is None
