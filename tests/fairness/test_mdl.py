"""Online code lengths: closed forms, a twin that multiplies probabilities, planted groups and none."""

from __future__ import annotations

import warnings
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import log2, prod
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tasks.core.measures import Measures, Row
from tasks.fairness._mdl import INVERSE_PENALTIES, Chosen, Fit, ends, linear_probes, mean_with_ends, online_code, tanh_probes
from tasks.fairness.metric import FAIRNESS
from tasks.fairness.metrics.mdl_extractability import MdlExtractability
from tests.fairness.fakes import by_name, fair, held

PERCENT = ("2", "3", "4.4", "6.5", "9.5", "14", "21", "31", "45.7", "67.6", "100")
PROBES = 1 + len(INVERSE_PENALTIES["linear"])


def states(n: int, planted: float, count: int = 2, width: int = 8, seed: int = 0, crossed: bool = False) -> tuple[Any, Any]:
    """Normal states of balanced groups, a step of ``planted`` apart in one direction; or ``crossed``, told by two signs together and by neither alone."""
    groups = np.arange(n) % count
    found = np.random.default_rng(seed).normal(size=(n, width))
    found[:, 0] += planted * groups
    if crossed:
        found[:, 1] = np.sign(found[:, 0]) * (2 * groups - 1) * np.abs(found[:, 1])
    return found, groups


def metric(**fields: Any) -> MdlExtractability:
    found = FAIRNESS.parse({"kind": "mdl-extractability", **fields})
    assert isinstance(found, MdlExtractability)
    return found


def scored(found: Any, groups: Any, **fields: Any) -> Measures:
    names = tuple("abcdef"[: int(groups.max()) + 1])
    records = pd.DataFrame({"id": [f"r{place}" for place in range(len(groups))]})
    return metric(**fields).scored(found, Chosen(records, groups, names, "nothing"), {"data": "d"}, 0)


def rows(measures: Measures) -> dict[str, Row]:
    return by_name(measures, "mdl_extractability")


def test_blocks_end_where_the_paper_says() -> None:
    for n in (2, 60, 61, 1000, 1997):
        assert ends(n) == sorted({max(1, int(Fraction(share) * n / 100)) for share in PERCENT})
    assert ends(1000) == [20, 30, 44, 65, 95, 140, 210, 310, 457, 676, 1000]


@pytest.mark.parametrize("count", [2, 3])
def test_a_probe_that_knows_nothing_pays_the_uniform_code(count: int) -> None:
    found, groups = states(300, 0.0, count)
    code = online_code(found, groups, np.random.default_rng(0).permutation(300), count, lambda seen, labels, after: uniform(len(after), count))
    assert code.bits == pytest.approx(np.full(300, log2(count)), abs=1e-12)


def uniform(n: int, count: int) -> Any:
    return np.full((1, n, count), -np.log(count))


@pytest.mark.parametrize(("right", "bits"), [(True, 8 + 1), (False, 400 + 1)])
def test_a_probe_that_is_sure_pays_the_first_block_or_where_it_is_wrong_one_bit_more_than_the_uniform_code(right: bool, bits: float) -> None:
    """Its probabilities are 1 and 0, and the code stays finite. The bit is that of two probes, of which it is not known which is good."""
    _, groups = states(400, 0.0)

    def sure(seen: Any, labels: Any, after: Any) -> Any:
        told = np.zeros((1, len(after), 2))
        told[0, np.arange(len(after)), 1 - np.rint(after[:, 0] > 0).astype(int) if right else np.rint(after[:, 0] > 0).astype(int)] = -np.inf
        return told

    code = online_code((groups * 2.0 - 1)[:, None], groups, np.random.default_rng(1).permutation(400), 2, sure)
    assert code.bits.sum() == pytest.approx(bits, abs=1e-9) and np.isfinite(code.bits).all()
    assert code.accuracy == (1.0 if right else 0.5) or not right


def test_groups_told_apart_at_a_glance_cost_little_more_than_the_first_block() -> None:
    """The bound is n over n_1 + log2 of the probes' number; a separation of 100 in one of two directions comes near it."""
    found, groups = states(2000, 100.0, width=2)
    compression = fair(rows(scored(found, groups, orders=2))["score"])
    assert 0.6 * 2000 / (40 + log2(PROBES)) < compression < 2000 / 40


def twin(found: Any, groups: Any, order: Any, count: int) -> list[float]:
    """Bits in the order of coding: a fresh pipeline for each block and penalty, probabilities multiplied one record at a time."""
    stops = [max(1, int(Fraction(share) * len(order) / 100)) for share in PERCENT]
    bits = [log2(count)] * stops[0]
    chances: list[list[float]] = [[] for _ in range(PROBES)]
    for start, stop in pairwise(stops):
        seen, block = order[:start], order[start:stop]
        if set(groups[seen]) != set(range(count)):
            bits += [log2(count)] * len(block)
            continue
        models = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000, tol=1e-8)) for c in INVERSE_PENALTIES["linear"]]
        for model in models:
            model.fit(found[seen], groups[seen])
        for record in block:
            said = [1 / count, *(model.predict_proba(found[[record]])[0, groups[record]] for model in models)]
            before = sum(prod(earlier) for earlier in chances)
            for earlier, chance in zip(chances, said, strict=True):
                earlier.append(chance)
            bits.append(-log2(sum(prod(earlier) for earlier in chances) / before))
    return bits


@pytest.mark.parametrize(("planted", "count", "seed"), [(0.0, 2, 0), (1.5, 2, 1), (2.0, 3, 2), (6.0, 2, 3)])
def test_the_code_is_that_of_plain_probabilities(planted: float, count: int, seed: int) -> None:
    """The twin's optimum is tighter, and without warm starts: hence a hundredth of a bit."""
    found, groups = states(150, planted, count, seed=seed)
    order = np.random.default_rng(seed).permutation(150)
    code = online_code(found, groups, order, count, linear_probes)
    expected = twin(found, groups, order, count)
    assert code.bits[order] == pytest.approx(expected, abs=0.01)
    assert code.bits.sum() == pytest.approx(sum(expected), abs=0.05)


def test_the_tanh_code_is_near_that_of_another_library_where_a_linear_one_finds_nothing() -> None:
    """Other random weights give other optima: within a fifth. The group is told by two signs together."""
    found, groups = states(400, 0.0, width=4, crossed=True)
    order = np.random.default_rng(0).permutation(400)

    def other(seen: Any, labels: Any, after: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it stopped after so many steps, as it shall
            models = [MLPClassifier((8,), activation="tanh", solver="lbfgs", alpha=1 / c, max_iter=50, random_state=0) for c in INVERSE_PENALTIES["tanh"]]
            return np.stack([np.log(np.maximum(model.fit(seen, labels).predict_proba(after), 1e-300)) for model in models])

    ours, theirs, linear = (
        online_code(found, groups, order, 2, fit).bits.sum() for fit in (partial(tanh_probes, hidden=8, seed=0, entity="0"), other, linear_probes)
    )
    assert ours == pytest.approx(theirs, rel=0.2) and ours < 250 < 395 < linear


@pytest.mark.parametrize(
    "fit", [linear_probes, pytest.param(partial(tanh_probes, hidden=4, seed=0, entity="0"), marks=pytest.mark.slow)], ids=["linear", "tanh"]
)
def test_random_labels_are_never_compressed_nor_far_above_the_uniform_code(fit: Fit) -> None:
    """A code that is fixed before saves t bits on fair coins with a chance of 2^-t at most: 15 bits in one of 8 draws, under 1 in 4,000."""
    for seed in range(8):
        generator = np.random.default_rng(seed)
        groups = generator.integers(2, size=120)
        found = generator.normal(size=(120, 10))
        bits = online_code(found, groups, np.arange(120), 2, fit).bits.sum()
        assert 120 - 15 < bits <= 120 + log2(PROBES) + 1e-9


def test_what_comes_later_never_changes_a_code_and_what_came_before_does() -> None:
    found, groups = states(200, 1.5)
    order = np.random.default_rng(2).permutation(200)
    usual = online_code(found, groups, order, 2, linear_probes).bits[order]
    last = ends(200)[-2]
    moved, turned = found.copy(), groups.copy()
    moved[order[last:]] *= 30
    turned[order[last:]] = 1 - turned[order[last:]]
    for others in ((moved, groups), (found, turned)):
        again = online_code(*others, order, 2, linear_probes).bits[order]
        assert (again[:last] == usual[:last]).all() and not np.allclose(again[last:], usual[last:])
    moved = found.copy()
    moved[order[:10]] *= 30
    assert not np.allclose(online_code(moved, groups, order, 2, linear_probes).bits[order][last:], usual[last:])


def test_states_of_another_unit_have_the_same_code_and_one_that_never_varies_is_harmless() -> None:
    found, groups = states(150, 1.5)
    order = np.random.default_rng(3).permutation(150)
    usual = online_code(found, groups, order, 2, linear_probes).bits
    shifted = np.column_stack([found * np.logspace(-3, 3, 8) + 50, np.full(150, 0.1)])
    assert online_code(shifted, groups, order, 2, linear_probes).bits == pytest.approx(usual, abs=0.01)


def test_a_group_that_was_not_seen_cannot_be_learnt() -> None:
    found, groups = states(90, 50.0, count=3)
    order = np.concatenate([np.flatnonzero(groups < 2), np.flatnonzero(groups == 2)])
    code = online_code(found, groups, order, 3, linear_probes)
    assert code.bits[order[: ends(90)[-2]]] == pytest.approx(log2(3)) and code.bits.sum() == pytest.approx(90 * log2(3))


@pytest.mark.parametrize("probe", ["linear", pytest.param("tanh", marks=pytest.mark.slow)])
def test_compression_grows_with_what_is_planted_and_the_control_stays_at_one(probe: str) -> None:
    """Shuffled labels of balanced groups save 20 bits of 300 with a chance under 1 in 10,000 in each order (2^-20 times 2^n over the ways to shuffle)."""
    found = [rows(scored(*states(300, planted), probe=probe, orders=3, hidden_size=4 if probe == "tanh" else None)) for planted in (0.0, 1.5, 4.0)]
    none, some, much = (row["score"] for row in found)
    assert held(none)[1] < held(some)[0] and held(some)[1] < held(much)[0]
    assert 300 / (300 + log2(PROBES)) <= fair(none) < 300 / 280 and fair(much) > 3
    for row in found:
        assert 300 / (300 + log2(PROBES)) <= fair(row["control/score"]) < 300 / 280
    assert fair(found[0]["accuracy/score"]) < 0.65 < 0.9 < fair(found[2]["accuracy/score"])


@pytest.mark.slow
def test_only_a_tanh_probe_finds_what_no_line_parts() -> None:
    found, groups = states(600, 0.0, width=4, crossed=True)
    line, curve = (rows(scored(found, groups, probe=probe, orders=2))["score"] for probe in ("linear", "tanh"))
    assert fair(line) < 1.02 < 1.15 < fair(curve)


def test_numbers_follow_from_items_and_say_over_what_their_interval_is() -> None:
    measures = scored(*states(300, 1.5, count=3), orders=4)
    found = rows(measures)
    assert list(found) == ["score", "control/score", "code_length/score", "accuracy/score"]
    total = sum(measures.items["bits"])
    assert fair(found["code_length/score"]) == pytest.approx(total) and fair(found["score"]) == pytest.approx(300 * log2(3) / total)
    assert [row.direction for row in found.values()] == ["lower", "none", "none", "none"]
    assert found["score"].highest == 300 / 6 and found["score"].conditions["groups"] == "a 100, b 100, c 100"
    assert "4 orders of the same records" in str(found["score"].reason)
    for row in found.values():
        assert held(row)[0] <= fair(row) <= held(row)[1]
    alone = rows(scored(*states(300, 1.5), orders=1))["score"]
    assert alone.low is None and "one order has no interval" in str(alone.reason)


def test_the_interval_is_that_of_student_and_stays_within_what_can_be() -> None:
    values = [3.0, 5.0, 4.0]
    mean, ends_found = mean_with_ends(values, 0.0, np.inf)
    assert ends_found is not None and mean == 4.0
    assert ends_found == pytest.approx((4 - 4.302653 / 3**0.5, 4 + 4.302653 / 3**0.5), abs=1e-5)  # t of 2 degrees of freedom, from a table
    _, cut = mean_with_ends([0.99, 1.0, 0.9], 0.0, 1.0)
    assert cut is not None and cut[0] == pytest.approx(0.827, abs=1e-3) and cut[1] == 1.0
    assert mean_with_ends([2.0, 2.0], 0.0, 9.0) == (2.0, None)
