"""Erasers: affine maps of a model's last states after which people's groups can be told less well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.core.component import Component, Family
from tasks.core.errors import UserError
from tasks.core.seeds import numpy_generator

Floats = NDArray[np.float64]
Classes = NDArray[np.intp]

APART = (0.5, 0.25, 0.25)
"""Shares of the states that an eraser is fitted on, that a probe of it learns from, and that the probe is asked of."""


class CannotErase(UserError):
    """States or classes that no eraser can be fitted to; the message is the one line a person needs."""


@dataclass(frozen=True)
class Erasure:
    """h -> h @ matrix.T + shift, for states h (N, H).

    Attributes:
        matrix: (H, H).
        shift: (H,).
        facts: ``n`` states and ``width`` H it was fitted to, ``rank`` dimensions removed, ``classes``, and, where there are states enough, the accuracy of a
            linear probe on states that it did not learn from: ``probe_before``, ``probe_after`` and ``probe_majority`` (of the most frequent answer),
            all over ``probe_n`` states.
    """

    matrix: Floats
    shift: Floats
    facts: Mapping[str, float | int | str]

    def __call__(self, states: Floats) -> Floats:
        """The erased states, (N, H) from (N, H), in double."""
        return np.asarray(states, dtype=np.float64) @ self.matrix.T + self.shift


class Eraser(Component, ABC):
    """Base of every eraser.

    Class fact: ``paired``, whether it wants states of texts and their counterparts in consecutive rows, or any states with a protected class.
    """

    paired: ClassVar[bool] = False

    @abstractmethod
    def fit(self, states: Floats, protected: Classes, seed: int) -> Erasure:
        """The erasure that these states ask for.

        Args:
            states: (N, H); a paired eraser reads a text and its counterpart in rows 2i and 2i + 1.
            protected: (N,) the class of each, any integers.
            seed: of the draws that part states for a probe.

        Raises:
            CannotErase: fewer than two states or classes, a state that is not finite, shapes that do not fit together.
        """


def checked(states: Floats, protected: Classes) -> tuple[Floats, Classes]:
    """Both as arrays, states in double. Raises CannotErase as ``Eraser.fit`` says."""
    found, classes = np.asarray(states, dtype=np.float64), np.asarray(protected)
    if found.ndim != 2 or classes.shape != found.shape[:1]:
        raise CannotErase(f"states of shape {found.shape} and classes of shape {classes.shape} do not fit: (N, H) and (N,) are needed")
    if len(found) < 2 or found.shape[1] < 1:
        raise CannotErase(f"states of shape {found.shape} are too few to erase anything from: two states of one number are the least")
    if not np.isfinite(found).all():
        raise CannotErase(f"{int((~np.isfinite(found).all(axis=1)).sum())} of {len(found)} states hold a number that is not finite")
    if len(np.unique(classes)) < 2:
        raise CannotErase(f"all {len(found)} states are of one protected class: there is nothing to tell apart")
    return found, classes


def drawn_apart(labels: Classes, shares: Sequence[float], seed: int) -> list[Classes]:
    """Places of ``labels`` (N,) in disjoint parts of these shares, of each label alike, by a keyed draw. Every place is in one part; parts are sorted."""
    generator = numpy_generator(seed, "eraser-parts")
    parts: list[list[Classes]] = [[] for _ in shares]
    for label in np.unique(labels):
        places = generator.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum(shares)[:-1] / sum(shares) * len(places)).astype(np.intp)
        for part, piece in zip(parts, np.split(places, ends), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


@dataclass(frozen=True)
class Probe:
    """A linear classifier and what it answers.

    Attributes:
        weights: (1 or K, H), of one against the other class or of each against the rest.
        accuracy: on the states that it was asked of.
    """

    weights: Floats
    accuracy: float


def linear_probe(seen: Floats, classes: Classes, asked: Floats, truth: Classes) -> Probe:
    """A linear support vector classifier, that of Bias Bench (Meade et al., ACL 2022), trained on ``seen`` and asked of ``asked``.

    States are centred and divided by one number, the root of their mean variance, so that its penalty means the same for states of any unit.
    """
    from sklearn.svm import LinearSVC

    mean = seen.mean(axis=0)
    scale = float(np.sqrt(np.mean((seen - mean) ** 2))) or 1.0
    model = LinearSVC(dual=False, max_iter=10_000).fit((seen - mean) / scale, classes)
    return Probe(np.asarray(model.coef_, dtype=np.float64), float(np.mean(model.predict((asked - mean) / scale) == truth)))


def majority(classes: Classes) -> float:
    """Share of the most frequent class: the accuracy of an answer that does not look."""
    return float(np.unique(classes, return_counts=True)[1].max() / len(classes))


def probed(fit: Callable[[Floats, Classes], tuple[Floats, Floats]], states: Floats, protected: Classes, seed: int, paired: bool = False) -> dict[str, float]:
    """Facts of a probe before and after, each step on states of its own: ``fit`` sees half, a probe learns from a quarter and is asked of a quarter.

    A probe on the very states that an eraser equalised would answer worse than by chance: where the means of all are alike, those of its two parts differ
    in opposite directions. Pairs stay together. Empty where a part would lack a class.

    Args:
        fit: states (N, H) and classes (N,) to the matrix and shift of an erasure.
        states: (N, H).
        protected: (N,).
        seed: of the draw.
        paired: whether rows 2i and 2i + 1 belong together.
    """
    parts = drawn_apart(protected[::2] if paired else protected, APART, seed)
    if paired:
        parts = [np.column_stack([2 * part, 2 * part + 1]).reshape(-1) for part in parts]
    fitted, seen, asked = parts
    count = len(np.unique(protected))
    if any(len(np.unique(protected[part])) < count for part in parts):
        return {}
    matrix, shift = fit(states[fitted], protected[fitted])
    erased = states @ matrix.T + shift
    before, after = (linear_probe(each[seen], protected[seen], each[asked], protected[asked]) for each in (states, erased))
    return {"probe_before": before.accuracy, "probe_after": after.accuracy, "probe_majority": majority(protected[asked]), "probe_n": len(asked)}


ERASERS = Family("eraser", "tasks.fairness.erasers", Eraser)
