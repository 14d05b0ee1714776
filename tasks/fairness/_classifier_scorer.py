"""What scorers by a classifier of the study share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tasks.core.component import OneOf
from tasks.core.measures import Need, TrainedOther
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.scorer import Scorer
from tasks.models.model import MODELS, Model
from tasks.training.training import Training

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _linear() -> Model:
    found = MODELS.parse({"kind": "linear"})
    assert isinstance(found, Model)
    return found


class ClassifierScorer(Scorer, ABC):
    """Base of scorers by a local classifier, trained by the study on labelled texts: the probability of one label."""

    lowest: ClassVar[float] = 0.0

    data: Annotated[Dataset, OneOf(DATASETS)] = Field(description="Labelled texts that the classifier learns from.")
    model: Annotated[Model, OneOf(MODELS)] = Field(default_factory=_linear, description="The classifier.")
    training: Training = Field(default=Training(epochs=5), description="How it is trained.")
    positive: str = Field(description="The label whose probability is the score.")

    def needs(self) -> tuple[Need, ...]:
        """The trained classifier."""
        blocks = {name: getattr(self, name).model_dump(mode="json") for name in ("data", "model", "training")}
        return (TrainedOther(label=self.kind, **blocks),)

    def score(self, texts: Sequence[str], needed: Mapping[str, Path], report: Any) -> NDArray[np.float64]:
        """(N,) in [0, 1]. Raises UserError where the classifier has no such label."""
        from tasks.core.errors import UserError
        from tasks.models.probing import Probe

        probe = Probe.open(needed[f"trained/{self.kind}"], "cpu" if report is None else report.device)
        labels = list(probe.shape.labels)
        if self.positive not in labels:
            raise UserError(f"{self.kind}: the classifier has no label '{self.positive}'; it has {', '.join(labels[:10])}")
        distinct = list(dict.fromkeys(text or " " for text in texts))
        scores = dict(zip(distinct, probe.classify(distinct)[:, labels.index(self.positive)].tolist(), strict=True))
        import numpy as np

        return np.array([scores[text or " "] for text in texts], dtype=float)
