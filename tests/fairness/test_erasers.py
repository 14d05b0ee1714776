"""Erasers: planted directions, closed forms of another derivation, slow twins, and what a fresh probe still tells."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import null_space
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from tasks.core.errors import UserError
from tasks.fairness.eraser import ERASERS, CannotErase, Classes, Eraser, Erasure, Floats, drawn_apart, linear_probe, majority, probed
from tasks.fairness.erasers.inlp import spanned

KINDS = ("inlp", "leace", "sentence-debias")
WIDTH = 24


def eraser(kind: str, **fields: Any) -> Eraser:
    found = ERASERS.parse({"kind": kind, **fields})
    assert isinstance(found, Eraser)
    return found


def planted(n: int, step: float, count: int = 2, seed: int = 0, first: float = 0.5) -> tuple[Floats, Classes]:
    """Correlated states off the origin whose classes differ, by ``step``, in random directions that are no axis and no principal component."""
    world = np.random.default_rng(99)
    mixing, towards, middle = world.normal(size=(WIDTH, WIDTH)), world.normal(size=(6, WIDTH)), 3 * world.normal(size=WIDTH)
    generator = np.random.default_rng(seed)
    rest = (1 - first) / (count - 1)
    classes = generator.choice(count, size=n, p=[first] + [rest] * (count - 1))
    return generator.normal(size=(n, WIDTH)) @ mixing + middle + step * np.where(classes[:, None] > 0, towards[classes], 0.0), classes.astype(np.intp)


def pairs(n: int, seed: int = 0) -> tuple[Floats, Classes]:
    """States of n texts and their counterparts, each pair some way up and down one oblique direction, more in a second one, and in noise."""
    world = np.random.default_rng(98)
    axes, _ = np.linalg.qr(world.normal(size=(WIDTH, 3)))
    generator = np.random.default_rng(seed)
    ups = np.column_stack([generator.normal(size=n) + 8, 1.5 * generator.normal(size=n)])
    classes = generator.integers(2, size=n)
    halves = (2 * classes - 1)[:, None] * ups @ axes[:, :2].T / 2
    middle = 2 * generator.normal(size=(n, WIDTH)) + 5 * (generator.integers(2, size=n)[:, None] * axes[:, 2]) + 1
    rows = np.stack([middle + halves, middle - halves], axis=1).reshape(2 * n, WIDTH) + 0.05 * generator.normal(size=(2 * n, WIDTH))
    return rows, np.stack([classes, 1 - classes], axis=1).reshape(-1).astype(np.intp)


def accuracy(train: tuple[Floats, Classes], test: tuple[Floats, Classes]) -> float:
    """Of a logistic regression: another classifier than any in the code."""
    return float(LogisticRegression(max_iter=5000).fit(*train).score(*test))


def moved(states: Floats, erased: Floats) -> float:
    return float(np.mean(np.sum((states - erased) ** 2, axis=1)))


def is_orthogonal_projection(erasure: Erasure) -> None:
    matrix = erasure.matrix
    assert matrix == pytest.approx(matrix.T, abs=1e-12) and matrix @ matrix == pytest.approx(matrix, abs=1e-12)
    assert np.linalg.matrix_rank(np.eye(WIDTH) - matrix) == erasure.facts["rank"] and not erasure.shift.any()


def by_inverse(states: Floats, classes: Classes) -> Floats:
    """I - D (D' S^-1 D)^-1 D' S^-1, D the way between class means: of all maps with D in their kernel, what Lagrange's multipliers say moves states least."""
    means = np.stack([states[classes == kind].mean(axis=0) for kind in np.unique(classes)])
    ways = (means[1:] - means[0]).T
    weights = np.linalg.solve(np.cov(states.T), ways)
    return np.asarray(np.eye(WIDTH) - ways @ np.linalg.solve(ways.T @ weights, weights.T), dtype=np.float64)


def by_authors(states: Floats, told: Floats, **settings: Any) -> Floats:
    """States as the package erases them, by its own map and with its own settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from concept_erasure import LeaceEraser
    found = torch.from_numpy(states)
    return np.asarray(LeaceEraser.fit(found, torch.from_numpy(told), **settings)(found).numpy(), dtype=np.float64)


def test_the_family_has_the_three() -> None:
    assert tuple(ERASERS.members()) == KINDS
    assert [eraser(kind).paired for kind in KINDS] == [False, False, True]
    assert eraser("inlp").model_dump() == {"kind": "inlp", "iterations": 80}


@pytest.mark.parametrize("shrinkage", [True, False])
@pytest.mark.parametrize("count", [2, 4])
def test_leace_leaves_a_linear_classifier_nothing(count: int, shrinkage: bool) -> None:
    states, classes = planted(400, 2.0, count, first=0.4)
    erasure = eraser("leace", shrinkage=shrinkage).fit(states, classes, 0)
    erased = erasure(states)
    assert erasure.facts["rank"] == count - 1 and np.linalg.matrix_rank(np.eye(WIDTH) - erasure.matrix) == count - 1
    for kind in range(count):
        assert erased[classes == kind].mean(axis=0) == pytest.approx(states.mean(axis=0), abs=1e-6)
    before, after = (np.abs(LogisticRegression(C=10, tol=1e-10, max_iter=5000).fit(each, classes).coef_).max() for each in (states, erased))
    assert before > 0.3 and after < 1e-2  # where the optimiser stops differs by processor
    assert accuracy((states, classes), (states, classes)) > majority(classes) + 0.1


@pytest.mark.parametrize("count", [2, 3])
def test_leace_is_that_of_its_authors(count: int) -> None:
    states, classes = planted(300, 2.0, count)
    for shrinkage in (True, False):
        theirs = by_authors(states, np.eye(count)[classes], shrinkage=shrinkage)
        assert eraser("leace", shrinkage=shrinkage).fit(states, classes, 0)(states) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("count", [2, 4])
def test_leace_moves_states_least_of_all_affine_maps_that_erase(count: int) -> None:
    states, classes = planted(500, 2.0, count, first=0.3)
    erasure = eraser("leace", shrinkage=False).fit(states, classes, 0)
    assert erasure.matrix == pytest.approx(by_inverse(states, classes), abs=1e-9)
    least, mean = moved(states, erasure(states)), states.mean(axis=0)
    ways = np.stack([states[classes == kind].mean(axis=0) - mean for kind in range(count)])
    complement = null_space(ways, rcond=1e-8)
    orthogonal = complement @ complement.T
    generator = np.random.default_rng(1)
    for size in (0.0, 0.01, 0.1, 1.0):
        for start in (erasure.matrix, orthogonal):
            other = start + size * generator.normal(size=(WIDTH, WIDTH)) @ orthogonal  # still takes the ways between means to nothing
            passing = (states - mean) @ other.T + mean
            assert np.ptp([passing[classes == kind].mean(axis=0) for kind in range(count)], axis=0) == pytest.approx(0, abs=1e-9)
            assert least <= moved(states, passing) + 1e-9
    assert least < 0.9 * moved(states, (states - mean) @ orthogonal.T + mean)
    assert moved(states, eraser("leace").fit(states, classes, 0)(states)) <= moved(states, (states - mean) @ orthogonal.T + mean)


def test_leace_erases_faint_classes_and_states_of_fewer_dimensions_than_their_width() -> None:
    """The package's own threshold would pass over the first, whose correlation is under 0.01."""
    generator = np.random.default_rng(0)
    classes = (np.arange(2000) % 2).astype(np.intp)
    faint = generator.normal(size=(2000, 4))
    faint -= np.where(classes[:, None] > 0, faint[classes > 0].mean(axis=0), faint[classes == 0].mean(axis=0))
    faint[:, 0] += 0.01 * classes
    states, kinds = planted(8, 2.0, seed=3)
    for shrinkage in (True, False):
        for found, told in ((faint, classes), (states, kinds), (np.column_stack([states, states[:, :3], np.ones(8)]), kinds)):
            erased = eraser("leace", shrinkage=shrinkage).fit(found, told, 0)(found)
            assert erased[told == 0].mean(axis=0) == pytest.approx(erased[told == 1].mean(axis=0), abs=1e-6)
    theirs = by_authors(faint, classes.astype(np.float64))
    assert abs(theirs[classes == 0, 0].mean() - theirs[classes == 1, 0].mean()) > 0.009


def test_leace_says_so_where_shrinking_leaves_no_covariance() -> None:
    """A sample that is rounder than its size lets expect is shrunk beyond the sphere, to negative variances."""
    states = np.array([[1.0, 0.01], [-1.0, 0.01], [0.01, 1.1], [0.01, -1.1]]) + 5
    with pytest.raises(CannotErase, match=r"^LEACE leaves class means .* set shrinkage to False$"):
        eraser("leace").fit(states, np.array([0, 1, 1, 1]), 0)
    assert eraser("leace", shrinkage=False).fit(states, np.array([0, 1, 1, 1]), 0).facts["rank"] == 1


@pytest.mark.parametrize("count", [2, 3])
def test_inlp_removes_what_is_planted_and_a_fresh_probe_knows_nothing(count: int) -> None:
    """Of 2,000 fresh states 3 standard errors are passed with a chance of 1 in 700, by a probe that knows nothing; seeds are fixed."""
    states, classes = planted(3000, 5.0, count)
    fresh, asked = planted(2000, 5.0, count, seed=1), planted(2000, 5.0, count, seed=2)
    erasure = eraser("inlp").fit(states, classes, 0)
    is_orthogonal_projection(erasure)
    facts = erasure.facts
    assert facts["stopped"] == "majority" and 1 <= int(facts["iterations"]) <= int(facts["rank"]) < WIDTH
    assert float(facts["probe_before"]) > 0.95 and float(facts["probe_after"]) <= float(facts["probe_majority"]) + 1.645 * 0.5 / 900**0.5
    assert accuracy(fresh, asked) > 0.95
    rate = majority(asked[1])
    after = accuracy((erasure(fresh[0]), fresh[1]), (erasure(asked[0]), asked[1]))
    assert after < rate + 3 * (rate * (1 - rate) / 2000) ** 0.5


def test_inlp_finds_the_one_direction_of_round_states() -> None:
    """Two round clouds, 4 deviations apart along one line, which is what is removed.

    If a tenth of the line were left, a best probe would be right in 57.9%, and of 1,200 held-out states at most the 52.4% that stop it with a chance of 1 in
    10,000.
    """
    generator = np.random.default_rng(0)
    way = np.ones(WIDTH) / WIDTH**0.5
    classes = (np.arange(4000) % 2).astype(np.intp)
    states = generator.normal(size=(4000, WIDTH)) + 4 * classes[:, None] * way
    once = eraser("inlp", iterations=1).fit(states, classes, 0)
    assert once.facts["rank"] == 1 and np.linalg.norm(once.matrix @ way) < 0.25
    others = null_space(way[None])
    assert moved(states @ others, once(states) @ others) < 0.25**2 * moved(states, once(states))
    whole = eraser("inlp").fit(states, classes, 0)
    assert np.linalg.norm(whole.matrix @ way) < 0.1 and int(whole.facts["rank"]) < WIDTH / 2


def test_inlp_is_a_product_of_null_spaces() -> None:
    """A twin that projects onto the null space of one classifier after the other, on the parts that were drawn."""
    states, classes = planted(600, 5.0, 3)
    train, held = drawn_apart(classes, (0.7, 0.3), 5)
    product = np.eye(WIDTH)
    for _ in range(2):
        left = states @ product.T
        kernel = null_space(linear_probe(left[train], classes[train], left[held], classes[held]).weights, rcond=1e-8)
        product = kernel @ kernel.T @ product
    erasure = eraser("inlp", iterations=2).fit(states, classes, 5)
    assert erasure.facts["iterations"] == 2 and erasure.matrix == pytest.approx(product, abs=1e-3)  # where the optimiser of a probe stops differs by processor


def test_a_weight_that_is_spanned_already_adds_no_direction() -> None:
    weights = np.random.default_rng(0).normal(size=(3, WIDTH)) * np.array([[1e-6], [1.0], [1e6]])
    basis = spanned(np.zeros((WIDTH, 0)), weights)
    again = spanned(basis, np.vstack([weights.sum(axis=0), weights[0] - weights[1], np.zeros(WIDTH), np.eye(WIDTH)[0]]))
    assert (basis.shape[1], again.shape[1]) == (3, 4) and again.T @ again == pytest.approx(np.eye(4), abs=1e-12)
    assert again @ (again.T @ weights.T) == pytest.approx(weights.T, rel=1e-9)


def test_inlp_stops_at_its_iterations_and_where_no_dimension_is_left() -> None:
    states, classes = planted(600, 8.0)
    once = eraser("inlp", iterations=1).fit(states, classes, 0)
    assert (once.facts["stopped"], once.facts["rank"]) == ("iterations", 1)
    line = np.linspace(-1, 1, 200)[:, None]
    gone = eraser("inlp").fit(line, (line[:, 0] > 0).astype(np.intp), 0)
    assert gone.matrix == pytest.approx(0.0, abs=1e-12) and (gone.facts["rank"], gone.facts["stopped"]) == (1, "dimensions")
    flat = np.column_stack([line, 2 * line, np.full(200, 7.0)])
    assert eraser("inlp").fit(flat, (line[:, 0] > 0).astype(np.intp), 0).facts["rank"] == 1
    nothing = eraser("inlp").fit(*planted(600, 0.0), 0)
    assert nothing.facts["iterations"] == 0 and nothing.matrix == pytest.approx(np.eye(WIDTH))


@pytest.mark.parametrize("components", [1, 2, 4])
def test_sentence_debias_is_a_slow_twin(components: int) -> None:
    """The mean of each pair taken off row by row, all rows centred once more and decomposed; and scikit-learn's PCA of the same rows."""
    states, classes = pairs(150)
    rows = []
    for place in range(0, len(states), 2):
        mean = (states[place] + states[place + 1]) / 2
        rows += [states[place] - mean, states[place + 1] - mean]
    centred = np.array(rows) - np.mean(rows, axis=0)
    main = np.linalg.svd(centred)[2][:components]
    erasure = eraser("sentence-debias", components=components).fit(states, classes, 0)
    assert erasure.matrix == pytest.approx(np.eye(WIDTH) - main.T @ main, abs=1e-9)
    pca = PCA(components).fit(np.array(rows))
    assert erasure.matrix == pytest.approx(np.eye(WIDTH) - pca.components_.T @ pca.components_, abs=1e-9)
    assert erasure.facts["explained"] == pytest.approx(pca.explained_variance_ratio_.sum())
    is_orthogonal_projection(erasure)
    assert erasure.facts["rank"] == components and erasure.facts["pairs"] == 150


def test_sentence_debias_takes_no_more_directions_than_pairs_differ_in() -> None:
    states = np.random.default_rng(0).normal(size=(6, WIDTH))
    erasure = eraser("sentence-debias", components=10).fit(states, np.array([0, 1] * 3), 0)
    assert erasure.facts["rank"] == 3 and erasure(states)[0::2] == pytest.approx(erasure(states)[1::2])


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_forgotten_and_an_unrelated_one_is_kept(kind: str) -> None:
    """The unrelated class is far apart along an axis of its own; without erasing, either is told almost surely."""
    (states, classes), (fresh, truth) = pairs(400), pairs(400, seed=1)
    world = np.random.default_rng(98)
    axes, _ = np.linalg.qr(world.normal(size=(WIDTH, 3)))
    states, fresh = (each + 20 * np.sign(each @ axes[:, [2]] - 3) @ axes[:, [2]].T for each in (states, fresh))
    other, other_truth = ((each @ axes[:, 2] > 3).astype(np.intp) for each in (states, fresh))
    erasure = eraser(kind).fit(states, classes, 0)
    assert accuracy((states, classes), (fresh, truth)) > 0.95 and accuracy((states, other), (fresh, other_truth)) > 0.99
    assert accuracy((erasure(states), classes), (erasure(fresh), truth)) < 0.6
    assert accuracy((erasure(states), other), (erasure(fresh), other_truth)) > 0.99
    facts = erasure.facts
    assert float(facts["probe_before"]) > 0.9 and float(facts["probe_after"]) < 0.62 and 0.5 <= float(facts["probe_majority"]) < 0.52
    assert (facts["n"], facts["width"], facts["classes"]) == (800, WIDTH, 2)


def test_parts_are_disjoint_whole_keyed_and_of_each_class_alike() -> None:
    classes = np.repeat(np.arange(3), [40, 20, 8]).astype(np.intp)
    parts = drawn_apart(classes, (0.5, 0.25, 0.25), 7)
    assert sorted(np.concatenate(parts)) == list(range(68))
    assert [list(np.bincount(classes[part])) for part in parts] == [[20, 10, 4], [10, 5, 2], [10, 5, 2]]
    assert all((one == two).all() for one, two in zip(parts, drawn_apart(classes, (0.5, 0.25, 0.25), 7), strict=True))
    assert (parts[0] != drawn_apart(classes, (0.5, 0.25, 0.25), 8)[0]).any()


def test_a_probe_is_asked_of_states_that_no_step_before_it_saw() -> None:
    states, classes = planted(400, 2.0)
    seen: list[Floats] = []

    def keeping(some: Floats, _: Classes) -> tuple[Floats, Floats]:
        seen.append(some)
        return np.eye(WIDTH), np.zeros(WIDTH)

    facts = probed(keeping, states, classes, 0)
    parts = drawn_apart(classes, (0.5, 0.25, 0.25), 0)
    assert (seen[0] == states[parts[0]]).all() and facts["probe_n"] == len(parts[2]) and facts["probe_before"] == facts["probe_after"] > 0.7
    rows, told = pairs(80)
    probed(keeping, rows, told, 0, paired=True)
    assert {row.tobytes() for row in seen[1][0::2]} <= {row.tobytes() for row in rows[0::2]} and len(seen[1]) == 80
    assert all((np.flatnonzero((rows == one).all(axis=1)) + 1 == np.flatnonzero((rows == two).all(axis=1))).all() for one, two in seen[1].reshape(-1, 2, WIDTH))
    assert probed(keeping, states[:4], np.array([0, 0, 0, 1]), 0) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_an_erasure_follows_from_its_arguments_and_turns_with_the_states(kind: str) -> None:
    states, classes = pairs(60)
    first = eraser(kind).fit(states, classes, 3)
    again = eraser(kind).fit(states.copy(), classes.copy(), 3)
    assert (first.matrix == again.matrix).all() and first.facts == again.facts
    named = eraser(kind).fit(states, np.where(classes == 1, 7, -2), 3)
    assert named.matrix == pytest.approx(first.matrix)
    longer = eraser(kind).fit(1000 * states, classes, 3)
    assert longer(1000 * states) == pytest.approx(1000 * first(states), abs=1e-3)
    single = states.astype(np.float32)
    assert eraser(kind).fit(single, classes, 3)(single).dtype == np.float64  # type: ignore[arg-type]


BAD: dict[str, Callable[[Floats, Classes], tuple[Any, Any]]] = {
    "one class": lambda states, classes: (states, np.zeros_like(classes)),
    "one row": lambda states, classes: (states[:1], classes[:1]),
    "no row": lambda states, classes: (states[:0], classes[:0]),
    "not finite": lambda states, classes: (np.where(np.arange(len(states))[:, None] == 3, np.nan, states), classes),
    "infinite": lambda states, classes: (np.where(np.arange(len(states))[:, None] == 3, np.inf, states), classes),
    "fewer classes": lambda states, classes: (states, classes[:-1]),
    "flat": lambda states, classes: (states.reshape(-1), classes),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_erased_is_said_in_one_line(kind: str, bad: str) -> None:
    with pytest.raises(UserError) as caught:
        eraser(kind).fit(*BAD[bad](*pairs(10)), 0)
    assert isinstance(caught.value, CannotErase) and "\n" not in str(caught.value) and len(str(caught.value)) > 20


def test_pairs_must_be_pairs_that_differ_and_inlp_needs_two_of_a_class() -> None:
    states, classes = pairs(10)
    with pytest.raises(CannotErase, match="19 states are no pairs"):
        eraser("sentence-debias").fit(states[:-1], classes[:-1], 0)
    with pytest.raises(CannotErase, match="in none of 10 pairs"):
        eraser("sentence-debias").fit(np.repeat(states[::2], 2, axis=0), classes, 0)
    with pytest.raises(CannotErase, match="a protected class has one state"):
        eraser("inlp").fit(states, (np.arange(20) == 4).astype(np.intp), 0)
