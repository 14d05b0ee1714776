"""Toxicity by a local classifier."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness._classifier_scorer import ClassifierScorer


def _tweets() -> Dataset:
    found = DATASETS.parse({"kind": "hate-speech-offensive"})
    assert isinstance(found, Dataset)
    return found


class Toxicity(ClassifierScorer):
    """The probability that a text is toxic, by a classifier that the study trains; by default on tweets (Davidson et al., ICWSM 2017).

    A substitute for the paper's classifier of six labels of Jigsaw's comments, whose texts may not be shared.
    """

    name: ClassVar[str] = "toxicity"

    kind: Literal["toxicity"]
    data: Annotated[Dataset, OneOf(DATASETS)] = Field(default_factory=_tweets, description="Labelled texts that the classifier learns from.")
    positive: str = Field(default="toxic", description="The label whose probability is the score.")
