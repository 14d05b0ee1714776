"""Regard by a local classifier."""

from __future__ import annotations

from typing import ClassVar, Literal

from tasks.fairness._classifier_scorer import ClassifierScorer


class Regard(ClassifierScorer):
    """The probability of a regard towards the person spoken of (Sheng et al., EMNLP 2019), by a classifier that the study trains.

    The authors' texts have no licence: name labelled texts of one's own, and the label that is scored, such as negative.
    """

    name: ClassVar[str] = "regard"

    kind: Literal["regard"]
