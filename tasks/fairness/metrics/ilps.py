"""Increased log probability: how much more an attribute calls for the words of one group than for those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from tasks.core.fingerprint import digest
from tasks.core.measures import Measures, Row
from tasks.fairness._likelihoods import LikelihoodMetric
from tasks.fairness.metric import Fidelity, Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.fairness._ilps import Cell
    from tasks.models.probing import Probe

    Floats = NDArray[np.float64]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")]
Sets = dict[Name, tuple[str, ...]]
CAUSAL = (
    "causal model: log p(attribute | target) - log p(attribute), from the likelihoods of whole sentences shared out over the given attributes; "
    "by Bayes' rule the ratio of p(target | attribute) to p(target)"
)


class Ilps(LikelihoodMetric):
    """Increased log probability scores and their difference, the log probability bias score (Kurita et al., GeBNLP 2019).

    ILPS of a target under an attribute is log(p_tgt / p_prior): the probability of the target hidden beside the attribute, over that with the
    attribute hidden too. LPBS is that of the first target set less that of the second, per template and attribute word; the words of a set add their
    probabilities before the log. ``score`` (signed, ideal 0) is the mean LPBS over the cells or, with two sets of attributes, the mean of the first
    set's less the second's; ``difference`` is how far it is from 0. ``by_group/<attributes>`` is the mean LPBS of each set. Intervals draw cells.
    """

    side: ClassVar[Side] = "intrinsic"
    notion: ClassVar[str] = "association"

    kind: Literal["ilps"]
    items: Literal["synthetic", "given"] = Field(default="synthetic", description="Templates and words of the synthetic grammar, or those given here.")
    templates: tuple[str, ...] = Field(default=(), description="Sentences with TARGET and ATTRIBUTE once each.")
    targets: Sets = Field(default_factory=dict, description="Two sets of words by name, such as men: [he] and women: [she].")
    attributes: Sets = Field(default_factory=dict, description="One or two sets of words by name.")
    prior_slot: Literal["target", "other"] = Field(default="target", description="Where the prior is read: at the target, or at the other mask.")

    @model_validator(mode="after")
    def _complete(self) -> Ilps:
        if self.items == "synthetic":
            if self.templates or self.targets or self.attributes:
                raise ValueError("templates, targets and attributes are for items: given")
            return self
        if not self.templates or any(template.count(slot) != 1 for template in self.templates for slot in ("TARGET", "ATTRIBUTE")):
            raise ValueError("templates must be given, each with TARGET and ATTRIBUTE once")
        if len(self.targets) != 2 or not 1 <= len(self.attributes) <= 2 or not all((*self.targets.values(), *self.attributes.values())):
            raise ValueError("give two sets of targets and one or two sets of attributes, none of them empty")
        return self

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation always: the published templates and words are not part of this; and a causal model's rows say more."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """What is not as published."""
        words = "templates and words of a synthetic grammar" if self.items == "synthetic" else "templates and words of the study"
        return words if self.prior_slot == "target" else f"{words}; the prior is read at the other mask"

    @property
    def groups_compared(self) -> str:
        """The two target sets."""
        return " against ".join(self.targets)

    def asked(self, probe: Probe, seed: int, report: Any) -> Measures:
        """``score``, ``difference``, ``by_group/<attributes>``."""

        from tasks.fairness._ilps import causal_table, cells_of, masked_table
        from tasks.fairness._likelihoods import complete, is_masked

        templates, targets, attributes = self.words()
        cells = cells_of(templates, attributes)
        said = {"data": digest([templates, targets, attributes])[:12], "groups": " against ".join(targets)}
        if is_masked(probe):
            table = masked_table(probe, templates, list(targets.values()), cells, self.prior_slot, report)
        else:
            said["differs"] = f"{self.differs}; {CAUSAL}"
            table = causal_table(probe, templates, list(targets.values()), cells, report)
        told = complete(table)
        kept, left_out = [cell for cell, fine in zip(cells, told, strict=True) if fine], int((~told).sum())
        if len(kept) < self.minimum_items:
            return self.too_few(len(kept), left_out, said)
        rows = self._rows(kept, table[told], list(attributes), seed, said, f"left out, could not be asked: {left_out}" if left_out else None)
        return Measures(tuple(rows), _records(kept, table[told]))

    def words(self) -> tuple[tuple[str, ...], Sets, Sets]:
        """Templates, target sets and attribute sets."""
        if self.items == "given":
            return self.templates, self.targets, self.attributes
        from tasks.data._stereotype_items import likelihood_templates

        found = likelihood_templates()
        return found.templates, dict(found.targets), dict(found.attributes)

    def _rows(self, cells: list[Cell], table: Floats, groups: list[str], seed: int, said: dict[str, str], why: str | None) -> list[Row]:
        import numpy as np

        from tasks.core.bootstrap import estimate
        from tasks.fairness._likelihoods import distance, few

        bias = table[:, 0] - table[:, 1]
        within = np.column_stack([[cell.group == group for cell in cells] for group in groups]).astype(float)
        sums, place = np.hstack([bias[:, None] * within, within]), range(len(cells))
        score = estimate(sums, _contrast, place, seed, self.metric("fairness"))
        if np.isnan(score[0]):
            return list(self.without("insufficient_evidence", "a set of attributes has no cell that could be asked", len(cells), conditions=said))
        rows = [
            self.row("score", *score, len(cells), "none", said, reason=why),
            self.row("difference", *distance(*score, 0.0), len(cells), "lower", said, reason=why, lowest=0.0),
        ]
        for index, group in enumerate(groups):
            n, name = int(within[:, index].sum()), f"by_group/{group}"
            if n < self.minimum_items:
                rows.append(self.row(name, None, n=n, direction="none", conditions=said, status="insufficient_evidence", reason=few(n, self.minimum_items)))
                continue
            part = sums[within[:, index] > 0][:, [index, len(groups) + index]]
            rows.append(self.row(name, *estimate(part, _mean, range(n), seed, f"{self.metric('fairness')}/{group}"), n, "none", said))
        return rows


def _mean(sums: Floats) -> Floats:
    """(B,) mean of (B, 2): a sum and how many."""
    return sums[:, 0] / sums[:, 1]


def _contrast(sums: Floats) -> Floats:
    """(B,) mean of the one set, or the first set's less the second's, of (B, 2) or (B, 4): sums, then how many."""
    import numpy as np

    groups = sums.shape[1] // 2
    with np.errstate(invalid="ignore"):
        means = sums[:, :groups] / sums[:, groups:]
    return np.asarray(means[:, 0] if groups == 1 else means[:, 0] - means[:, 1])


def _records(cells: list[Cell], table: Floats) -> dict[str, list[Any]]:
    """One record per template and attribute word, both by number: the ILPS of each target set."""
    words = {word: number for number, word in enumerate(dict.fromkeys((cell.group, cell.attribute) for cell in cells))}
    ids = [f"{cell.template}/{words[cell.group, cell.attribute]}" for cell in cells]
    return {"id": ids, "ilps_1": table[:, 0].tolist(), "ilps_2": table[:, 1].tolist(), "lpbs": (table[:, 0] - table[:, 1]).tolist()}
