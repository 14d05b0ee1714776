"""Every combination that must be refused or labelled: which rule does it, what makes it impossible, or for which component it waits.

``python -m tests.privacy.rows`` prints the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from specs.kinds import kinds
from tasks.attacks.attack import ATTACKS
from tasks.core.component import Family
from tasks.privacy.clip_rule import CLIP_RULES
from tasks.privacy.engine import ENGINES
from tasks.privacy.noise import NOISES
from tasks.privacy.privacy import PRIVACY
from tasks.privacy.sampler import SAMPLERS
from tasks.privacy.unit import UNITS


@dataclass(frozen=True)
class Rules:
    """Rules, which have a case each in ``tests/specs/test_soundness.py``."""

    ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"covered by {', '.join(self.ids)}"


@dataclass(frozen=True)
class Construction:
    """It cannot be written down; a test shows it."""

    file: str
    test: str

    def __str__(self) -> str:
        return f"by construction: {self.test} ({self.file})"


@dataclass(frozen=True)
class Waits:
    """Nothing here can do it, for no member of a family has this word in its kind. The day one has, the row must be covered."""

    family: str
    word: str

    def __str__(self) -> str:
        return f"waits for {self.family} '{self.word}'"


@dataclass(frozen=True)
class Row:
    """A combination, what must become of it, and what sees to it."""

    combination: str
    action: Literal["refuse", "label", "run as broken"]
    covers: tuple[Rules | Construction | Waits, ...]


def rules(*ids: str) -> Rules:
    return Rules(ids)


ACCOUNT, ACCOUNTING, ENGINE = (f"tests/privacy/test_{name}.py" for name in ("account", "accounting", "engines"))
GRADIENT, COMPARING = "tests/training/test_private_gradient.py", "tests/comparison/test_comparing.py"
CLIP, MICRO, DRAWS = (f"tests/privacy/test_{name}.py" for name in ("clip_rules", "micro_batch", "samplers"))
DEVICES = "tests/federated/test_private_federation.py"
THRESHOLD = "tests/attacks/test_loss_threshold.py"
NEEDS, AUDITING = (f"tests/pipelines/test_{name}.py" for name in ("needs", "privacy_audit"))
TEXTS = Waits("kind of study", "text-privatization")

ROWS = (
    Row("epsilon without unit, adjacency, delta, accountant", "refuse", (Construction(ACCOUNT, "test_the_tag_holds_every_condition"),)),
    Row("shuffle / fixed batches + Poisson accounting", "refuse", (rules("PRIV-02", "PRIV-03"),)),
    Row("fixed-size sampling + add/remove", "refuse", (rules("PRIV-26", "PRIV-27", "FED-12"),)),
    Row(
        "un-halved multiplier, REPLACE_ONE, RDP or WOR event",
        "refuse",
        (rules("PRIV-04"), Construction(DRAWS, "test_a_sample_of_fixed_size_takes_half_the_multiplier")),
    ),
    Row(
        "divisor from len(dataset); weighted sampler + uniform q",
        "refuse",
        (
            rules("PRIV-01", "FED-13", "FED-14", "FED-15"),
            Construction(GRADIENT, "test_nothing_follows_from_the_number_of_records"),
            Construction(DEVICES, "test_epsilon_is_that_of_the_largest_rate_and_not_of_the_mean"),
            Waits("sampler", "weight"),
        ),
    ),
    Row(
        "micro-batch + un-halved sigma; sequential slicing",
        "refuse",
        (
            Construction(MICRO, "test_epsilon_is_that_of_half_the_noise_and_the_weaker_unit_is_told_beside_it"),
            Construction(MICRO, "test_a_hash_moves_one_micro_batch_and_sequential_chunks_move_all"),
            Waits("sampler", "micro"),
        ),
    ),
    Row('unit "micro-batch" shown as example-level', "label", (rules("PRIV-25"), Waits("unit", "micro"))),
    Row(
        "bound or scale from raw private norms; uncharged adaptive clip",
        "refuse",
        (
            Construction(CLIP, "test_the_count_is_charged"),
            Construction(CLIP, "test_a_count_that_costs_more_than_there_is_is_told"),
            Construction(MICRO, "test_layers_are_clipped_to_their_shares"),
            Construction(DEVICES, "test_a_clip_norm_that_adapts_leaves_less_noise_budget_for_the_sum"),
        ),
    ),
    Row("AUTO-S with a max_grad_norm", "refuse", (Construction(CLIP, "test_automatic_clipping_has_no_norm_to_give"),)),
    Row(
        "schedule + mean sigma; per-worker noise without seed rule",
        "refuse",
        (
            Construction(ACCOUNTING, "test_a_schedule_of_noise_is_composed_and_never_its_mean"),
            Construction(DEVICES, "test_noise_of_a_round_has_the_stated_deviation_however_many_devices_came"),
            Waits("noise", "worker"),
        ),
    ),
    Row("GDP/CLT as accountant", "refuse", (rules("PRIV-05"),)),
    Row(
        "classical Gaussian, eps > 1",
        "refuse",
        (Construction(ACCOUNTING, "test_one_release_costs_what_the_exact_formula_says_and_not_the_classical_one"), TEXTS),
    ),
    Row("uncharged private sweep", "label", (rules("PRIV-09", "PRIV-19"),)),
    Row("BatchNorm or other cross-example layer", "refuse", (rules("PRIV-10"),)),
    Row(
        "ghost + tied weights or accumulation without parity test",
        "refuse",
        (rules("PRIV-11", "PRIV-12"), Construction(ENGINE, "test_pieces_add_up_and_leave_nothing_behind")),
    ),
    Row("delta > 1/n", "refuse", (rules("PRIV-07", "PRIV-08"),)),
    Row("uncharged private early stopping, vocabulary, normalisation", "label", (rules("PRIV-15", "PRIV-16", "PRIV-21", "TEXT-01"),)),
    Row("non-DP shadows for a DP target", "label", (Construction(NEEDS, "test_shadows_are_trained_under_the_targets_own_mechanism"),)),
    Row(
        "audit bound without ceiling; TPR@0.1% on < 1000 non-members",
        "refuse",
        (
            rules("ATTACK-01"),
            Construction(THRESHOLD, "test_a_rate_of_a_thousandth_needs_a_thousand_non_members"),
            Construction(AUDITING, "test_every_bound_stands_beside_its_ceiling"),
        ),
    ),
    Row("ADePT L2 + Laplace(2C/eps)", "run as broken", (TEXTS,)),
    Row("uncharged private pre-training of the encoder", "refuse", (rules("PRIV-17", "PRIV-18"), TEXTS)),
    Row("truncated Gumbel below precondition, or k not over 1..V", "refuse", (TEXTS,)),
    Row("OOV pass-through, approximate NN, squared L2", "refuse", (TEXTS,)),
    Row("eps compared across metrics", "label", (Construction(COMPARING, "test_numbers_under_unlike_conditions_are_never_combined"), TEXTS)),
)


def _of(family: Family) -> Callable[[], Iterable[str]]:
    return lambda: family.members()


FAMILIES: Mapping[str, Callable[[], Iterable[str]]] = {
    "attack": _of(ATTACKS),
    "clip rule": _of(CLIP_RULES),
    "engine": _of(ENGINES),
    "kind of study": kinds,
    "mechanism": _of(PRIVACY),
    "noise": _of(NOISES),
    "sampler": _of(SAMPLERS),
    "unit": _of(UNITS),
}

CONSIDERED: Mapping[str, frozenset[str]] = {
    "attack": frozenset(
        {
            "canary-completion",
            "canary-exposure",
            "canary-inversion",
            "clopper-pearson",
            "gdp",
            "lira",
            "loss-threshold",
            "mechanism",
            "one-run",
            "one-run-f-dp",
            "quantile",
            "rmia",
            "shadow",
        }
    ),
    "clip rule": frozenset({"adaptive-quantile", "automatic", "flat", "per-layer"}),
    "engine": frozenset({"book-keeping", "loop", "micro-batch", "opacus-ghost", "opacus-hooks", "vmap"}),
    "mechanism": frozenset({"dp-fedavg", "dp-sgd", "none"}),
    "noise": frozenset({"banded", "constant", "exponential", "linear", "step"}),
    "sampler": frozenset({"cyclic", "fixed-size", "poisson", "shuffle", "truncated-poisson"}),
    "unit": frozenset({"example", "user"}),
}
"""Members with which every row was gone through. Before a new one is added here, ask of each row whether it makes it possible."""


def no_longer_wait(rows: Iterable[Row], families: Mapping[str, Callable[[], Iterable[str]]]) -> list[str]:
    """Rows that wait for a component which is there."""
    found = []
    for row in rows:
        for cover in row.covers:
            if isinstance(cover, Waits):
                found += [f"{row.combination}: {cover}, and '{kind}' is there" for kind in families[cover.family]() if cover.word in kind]
    return found


def not_considered(families: Mapping[str, Callable[[], Iterable[str]]]) -> set[str]:
    """Components with which nobody has gone through the rows."""
    return {f"{family} '{kind}'" for family, known in CONSIDERED.items() for kind in families[family]() if kind not in known}


def table(rows: Iterable[Row] = ROWS) -> str:
    """The rows in words, what waits last."""
    ordered = sorted(rows, key=lambda row: any(isinstance(cover, Waits) for cover in row.covers))
    return "\n".join(f"{row.action:>13}  {row.combination}\n" + "\n".join(f"{'':>15}{cover}" for cover in row.covers) for row in ordered)


if __name__ == "__main__":
    print(table())
