"""Erasing a group from the states that a model answers from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.component import OneOf
from tasks.core.measures import Row
from tasks.fairness.eraser import ERASERS, CannotErase, Eraser, Erasure
from tasks.fairness.mitigation import Mitigation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from tasks.models.artifact import LoadedModel
    from tasks.text.counterfactual import Counterfactual


class EraseGroup(Mitigation):
    """A linear map of the last layer's states, fitted so that they tell less of whom a text speaks: INLP, SentenceDebias or LEACE.

    Fitted on mean states of training texts and of their role reversals (Meade et al., ACL 2022, fit on mean states too), a text's class being the group
    that most of its words are of; applied to every state before the model's answers.
    """

    reads_training_texts: ClassVar[bool] = True

    kind: Literal["erase"]
    eraser: Annotated[Eraser, OneOf(ERASERS)] = Field(description="How: inlp, sentence-debias or leace.")
    texts: int = Field(
        default=1000, ge=20, le=1_000_000, description="Training texts with a reversal that it is fitted on, by a keyed coin; each brings two states."
    )

    def apply(self, loaded: LoadedModel, data: Path, counterfactual: Counterfactual, seed: int, device: str) -> tuple[nn.Module, tuple[Row, ...]]:
        """The network with the map before its answers. Raises CannotErase where too few texts have a reversal."""
        import torch

        from tasks.models.amending import erase
        from tasks.models.probing import Probe

        texts, protected = self._texts(data, counterfactual, seed)
        states = Probe(loaded, device).text_states(texts)
        found = self.eraser.fit(states, protected, seed)
        matrix, shift = (torch.tensor(values, dtype=torch.float32, device=device) for values in (found.matrix, found.shift))
        erase(loaded.network, matrix, shift)
        return loaded.network, self._rows(found)

    def _texts(self, data: Path, counterfactual: Counterfactual, seed: int) -> tuple[list[str], NDArray[np.intp]]:
        """Texts and reversals in turn, and of each the group that most of its words are of: 0 the first of the pairs, 1 the second."""
        import numpy as np

        from tasks.core.seeds import uniform
        from tasks.data.prepared import PreparedData
        from tasks.text.reversal import Reversed

        reverser = counterfactual.reverser()
        records = PreparedData(data).split("train")
        texts: list[str] = []
        classes: list[int] = []
        for text in records["text"].loc[records["id"].map(lambda record: uniform(seed, "erase", str(record))).sort_values().index]:
            found = reverser.reverse(text)
            lean = reverser.lean(text) if isinstance(found, Reversed) else 0
            if isinstance(found, Reversed) and lean:
                texts += [text, found.text]
                classes += [int(lean < 0), int(lean > 0)]
            if len(texts) >= 2 * self.texts:
                break
        if len(texts) < 40:
            raise CannotErase(f"erase: {len(texts) // 2} training texts have a role reversal and lean to a group, 20 are needed")
        return texts, np.array(classes, dtype=np.intp)

    def _rows(self, found: Erasure) -> tuple[Row, ...]:
        said = {"texts": str(int(found.facts["n"]) // 2)}
        common: dict[str, Any] = {"direction": "none", "conditions": said, "lowest": 0.0, "highest": 1.0}
        names = {"probe_before": "a linear probe's accuracy of group, before", "probe_after": "the same, after"}
        if "probe_n" not in found.facts:
            return ()
        took = f"{self.eraser.kind} took out {found.facts['rank']} of {found.facts['width']} dimensions; majority {found.facts['probe_majority']:.3f}"
        n = int(found.facts["probe_n"])
        return tuple(
            Row(name=f"fairness/erase/{name}/score", value=float(found.facts[name]), n=n, reason=f"{words}; {took}", **common) for name, words in names.items()
        )
