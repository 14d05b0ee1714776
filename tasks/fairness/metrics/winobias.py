"""WinoBias: whether a language model finds a pronoun more likely where it fits the stereotype of the occupation that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tasks.core.measures import Measures, Row
from tasks.fairness._likelihoods import VALIDITY, LikelihoodMetric
from tasks.fairness.metric import Fidelity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.probing import Probe

    Floats = NDArray[np.float64]


class WinoBias(LikelihoodMetric):
    """WinoBias (Zhao et al., NAACL 2018) by likelihood, which needs no coreference resolver and is an adaptation.

    Two sentences of one line differ in the gender of a pronoun. The model is right on the pro-stereotypical side where that sentence is the more
    likely, and on the anti-stereotypical side where the other is; equal ones are right on neither. ``type_<n>/score`` is the accuracy on the pro
    side less that on the anti side (signed, -1 to 1, ideal 0), ``difference`` how far it is from 0, ``by_group/pro`` and ``by_group/anti`` the
    accuracies. Types 1 and 2 are never pooled: the syntax of type 2 tells the answer. A masked model gives the pseudo-log-likelihood of the
    sentence, a causal one its log-likelihood. Intervals draw pairs of lines, which share two occupations.
    """

    notion: ClassVar[str] = "stereotype"
    headline: ClassVar[str] = "type_1/difference"

    kind: Literal["winobias"]
    split: Literal["dev", "test", "both"] = Field(default="both", description="Which published part.")
    types: tuple[Literal[1, 2], ...] = Field(default=(1, 2), min_length=1, description="Which types of sentence.")

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation always."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """What is not as published."""
        return "by the likelihood of the sentence with either pronoun, not by resolving the coreference"

    @property
    def groups_compared(self) -> str:
        """Stereotypes of occupations."""
        return "gender of occupations"

    @property
    def conditions(self) -> dict[str, str]:
        """Those of every metric, and what is known of the items' validity."""
        return {**super().conditions, "validity": VALIDITY}

    def content_digest(self) -> str | None:
        """That of the published files."""
        from tasks.fairness.items.winobias import digest

        return digest()

    def asked(self, probe: Probe, seed: int, report: Any) -> Measures:
        """Per type: ``score``, ``difference``, ``by_group/pro``, ``by_group/anti``."""
        from tasks.core.places import data_folder
        from tasks.fairness.items.winobias import load

        return self.scored(list(load(data_folder())), probe, seed, report)

    def scored(self, items: Sequence[Any], probe: Probe, seed: int, report: Any = None) -> Measures:
        """The rows of pairs of sentences, which are those of all types and parts."""
        from tasks.core.bootstrap import items_of
        from tasks.fairness._likelihoods import complete, contents

        chosen = [item for item in items if item.type in self.types and self.split in ("both", item.split)]
        scores = self._scores(chosen, probe, report)
        told = complete(scores)
        left_out = int((~told).sum())
        kept, scores, said = [item for item, fine in zip(chosen, told, strict=True) if fine], scores[told], {"data": contents(chosen)}
        rows: list[Row] = []
        for number in self.types:
            places = [index for index, item in enumerate(kept) if item.type == number]
            rows += self._of_type(number, [kept[index] for index in places], scores[places], seed, said, left_out)
        together = (f"{item.type} {_drawn_together(item)}" for item in kept)
        return Measures(tuple(rows), items_of((item.id for item in kept), together, {"pro": scores[:, 0].tolist(), "anti": scores[:, 1].tolist()}))

    def _scores(self, items: Sequence[Any], probe: Probe, report: Any) -> Floats:
        """(N, 2) of the pro- and the anti-stereotypical sentence."""
        import math

        import numpy as np

        from tasks.fairness._likelihoods import Hidden, Tokens, is_masked, pseudo_scores, sequence_scores

        tokens = Tokens(probe.encoder)
        texts = [tokens.of(text) for item in items for text in (item.pro, item.anti)]
        if is_masked(probe):
            found = pseudo_scores(probe, tokens, [Hidden(text, tuple(range(len(text)))) for text in texts], report)
        else:
            found = sequence_scores(probe, tokens, texts, "kept", report)
        return np.asarray([math.nan if scores is None else float(scores.sum()) for scores in found]).reshape(-1, 2)

    def _of_type(self, number: int, items: Sequence[Any], scores: Floats, seed: int, said: dict[str, str], left_out: int) -> list[Row]:
        import numpy as np

        from tasks.core.bootstrap import estimate
        from tasks.fairness._likelihoods import distance, few

        names = tuple(f"type_{number}/{name}" for name in ("score", "difference", "by_group/pro", "by_group/anti"))
        n = len(items)
        if n < self.minimum_items:
            return list(self.without("insufficient_evidence", few(n, self.minimum_items, left_out), n, names, said))
        right = np.sign(np.round(scores[:, 0] - scores[:, 1], DECIMALS))
        sums = np.column_stack([right > 0, right < 0, np.ones(n)]).astype(float)
        lines, name = [_drawn_together(item) for item in items], f"{self.metric('fairness')}/type_{number}"
        score, pro, anti = (estimate(sums, statistic, lines, seed, name) for statistic in (_gap, _pro, _anti))
        away = distance(*score, 0.0)
        why = f"left out, longer than the model reads: {left_out}" if left_out else None
        return [
            self.row(names[0], *score, n, "none", said, reason=why, lowest=-1.0, highest=1.0),
            self.row(names[1], *away, n, "lower", said, reason=why, lowest=0.0, highest=1.0),
            self.row(names[2], *pro, n, "none", said, lowest=0.0, highest=1.0),
            self.row(names[3], *anti, n, "none", said, lowest=0.0, highest=1.0),
        ]


DECIMALS = 6
"""Sentences whose log-likelihoods agree to so many decimals are equal."""


def _drawn_together(item: Any) -> str:
    """Two lines that share their occupations."""
    return f"{item.split}/{(item.line - 1) // 2}"


def _gap(sums: Floats) -> Floats:
    return (sums[:, 0] - sums[:, 1]) / sums[:, 2]


def _pro(sums: Floats) -> Floats:
    return sums[:, 0] / sums[:, 2]


def _anti(sums: Floats) -> Floats:
    return sums[:, 1] / sums[:, 2]
