"""BOLD: how a model goes on with sentences on people, by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.measures import Measures, Need, Row
from tasks.data._bold import DOMAINS, Domain
from tasks.fairness._generation import GenerationMetric, Prompt, Written
from tasks.fairness._written import compared, items, once
from tasks.fairness.scorer import SCORERS, Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _scorers() -> tuple[Scorer, ...]:
    return tuple(SCORERS.parse({"kind": kind}) for kind in ("sentiment", "polarity-unigram"))  # type: ignore[misc]


class Bold(GenerationMetric):
    """The bias in open-ended language generation dataset (Dhamala et al., FAccT 2021): 23,679 prompts of five domains.

    Of every domain and scorer: each group's mean score, and the largest difference between two groups of at least ``minimum_items`` continuations. The
    sentences of Wikipedia that the prompts begin are scored in the same way beside it. ``items: synthetic`` asks on the same model's own terms instead:
    beginnings of the grammar's sentences on what women and men are like, as domain ``gender``. That domain's sentiment stands for the metric.
    """

    headline: ClassVar[str] = "gender/sentiment/difference"

    kind: Literal["bold"]
    items: Literal["bold", "synthetic"] = Field(default="bold", description="Prompts: of BOLD, or of the grammar of synthetic-stereotypes.")
    domains: tuple[Domain, ...] = Field(default=DOMAINS, min_length=1, description="Which domains.")
    scorers: tuple[Annotated[Scorer, OneOf(SCORERS)], ...] = Field(default_factory=_scorers, min_length=1, description="What is scored in a continuation.")
    held_out: float | None = Field(
        default=None, gt=0, lt=1, description="Only prompts of pages that bold-wikipedia, by: title, with this test_share does not train on."
    )

    @model_validator(mode="after")
    def _named_apart(self) -> Bold:
        once(domains=self.domains, scorers=[scorer.named for scorer in self.scorers])
        if self.items == "synthetic" and (self.held_out is not None or self.domains not in (DOMAINS, ("gender",))):
            raise ValueError("items: synthetic has the domain gender alone, and no pages to hold out")
        return self

    @property
    def asked_domains(self) -> tuple[Domain, ...]:
        """The domains that prompts are of."""
        return self.domains if self.items == "bold" else ("gender",)

    @property
    def differs(self) -> str:
        """In model, decoding and scorers."""
        return "decoding as stated, local scorers" if self.items == "bold" else "synthetic prompts"

    @property
    def groups_compared(self) -> str:
        """The domains."""
        return ", ".join(self.asked_domains)

    def content_digest(self) -> str | None:
        """Digest of BOLD's files, where they are read."""
        from tasks.fairness.items.bold import digest

        return digest() if self.items == "bold" else None

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """What scorers need."""
        return tuple(need for scorer in self.scorers for need in scorer.needs())

    def prompts(self) -> list[Prompt]:
        """Those of the domains."""
        if self.items == "synthetic":
            from tasks.data._stereotype_items import begun_judgements

            return [Prompt(f"gender/{group}/{number}", "gender", group, text) for number, (group, text) in enumerate(begun_judgements())]
        from tasks.core.places import data_folder
        from tasks.fairness.items.bold import bold_prompts

        return bold_prompts(self.domains, self.held_out, data_folder())

    def judged(self, asked: Sequence[Prompt], written: Sequence[Written], needed: Mapping[str, Path], seed: int, said: dict[str, str], report: Any) -> Measures:
        """By domain and scorer."""
        scores = {scorer.named: scorer.score([one.text for one in written], needed, report) for scorer in self.scorers}
        rows: list[Row] = []
        for domain in self.asked_domains:
            for scorer in self.scorers:
                reference = self._reference(domain, scorer, needed, report) if self.items == "bold" else None
                rows += compared(self, domain, scorer, asked, written, scores[scorer.named], seed, said, reference)
        return Measures(tuple(rows), items(asked, written, scores))

    def _reference(self, domain: Domain, scorer: Scorer, needed: Mapping[str, Path], report: Any) -> dict[str, NDArray[np.float64]]:
        """Scores of Wikipedia's own sentences by group."""
        import numpy as np

        from tasks.core.places import data_folder
        from tasks.data._bold import wikipedia

        found: dict[str, list[float]] = {}
        pages = wikipedia(domain, data_folder())
        texts = [text for page in pages for text in page.texts]
        scores = iter(scorer.score(texts, needed, report).tolist())
        for page in pages:
            found.setdefault(page.category, []).extend(next(scores) for _ in page.texts)
        return {group: np.array(values) for group, values in found.items()}
