"""SEAT: whether sentences on two groups lie closer to one kind of attribute than to another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from tasks.core.bootstrap import holding
from tasks.core.measures import Measures, Row
from tasks.fairness.metric import FairnessMetric, Fidelity, Side
from tasks.fairness.wordsets import Resolved, Synthetic, Words, published_digest, resolve
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.models.probing import Probe

    Floats = NDArray[np.float64]

BLEACHED = "this is {}"
GENDER = ("sent-weat6", "sent-weat6b", "sent-weat7", "sent-weat7b", "sent-weat8", "sent-weat8b")
"""The tests of gender that Bias Bench averages."""


def known_tests(tests: tuple[str, ...]) -> tuple[str, ...]:
    """The tests, each known. Raises ValueError for others."""
    from tasks.fairness.items.seat import NAMES

    unknown = [test for test in tests if test not in NAMES]
    if unknown:
        raise ValueError(f"no test is named '{unknown[0]}'; they are {', '.join(NAMES)}")
    return tests


class Seat(FairnessMetric):
    """SEAT (May et al., NAACL 2019): WEAT's effect size on vectors of sentences. ``<test>/score`` is the effect size of a test, d with ddof 1.

    ``difference``, the headline, is the mean absolute effect size over the tests, as Bias Bench reports. The interval of a test is over resampled
    stimuli; its one-sided permutation p, and that after Holm's correction over the tests, stand among the items. Own or synthetic words are put
    into one bleached sentence, published sentence tests are read as they are.
    """

    side: ClassVar[Side] = "intrinsic"
    notion: ClassVar[str] = "association"
    requires: ClassVar[tuple[Ability, ...]] = ("encoder",)

    kind: Literal["seat"]
    tests: tuple[str, ...] = Field(default=GENDER, description="Names of published tests: weat6, sent-weat6b, ...")
    words: Words | Synthetic | None = Field(default=None, description="Instead of published tests: words of one's own, or of the synthetic grammar.")
    pooling: Literal["mean", "first", "last", "max"] = Field(default="mean", description="How states become the vector of a sentence; first is [CLS] of BERT.")

    _known = field_validator("tests")(known_tests)

    @property
    def fidelity(self) -> Fidelity:
        """Published tests with a declared pooling are published; other words are not."""
        return "published" if self.words is None else "adaptation"

    @property
    def differs(self) -> str:
        """In the words."""
        return "" if self.words is None else "words of the study, in one bleached sentence"

    def content_digest(self) -> str | None:
        """That of the published files."""
        return published_digest(self.words)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """A row per test and the headline."""
        from tasks.models.probing import Probe

        probe = Probe.open(target, "cpu" if report is None else report.device)
        if "encoder" not in probe.abilities:
            return Measures(self.without("unsupported", "this model has no states"))
        tests = [resolve(None, self.words)] if self.words is not None else [resolve(test, None) for test in self.tests]
        return self.scored(tests, lambda stimuli: self.vectors(probe, stimuli), seed)

    def vectors(self, probe: Probe, stimuli: tuple[str, ...]) -> Floats:
        """(N, H) of stimuli as sentences."""
        return probe.text_states([stimulus if self.words is None else BLEACHED.format(stimulus) for stimulus in stimuli], self.pooling)

    def scored(self, tests: list[Resolved], vectors: Any, seed: int) -> Measures:
        """The rows of tests, by what gives stimuli their vectors."""
        import numpy as np

        from tasks.core.multiplicity import holm
        from tasks.core.seeds import numpy_generator
        from tasks.fairness._association import associations, bootstrap_effect, effect_size, permutation_p

        rows: list[Row] = []
        names, sizes, drawn, p = [], [], [], []
        for test in tests:
            x, y, a, b = (vectors(words) for words in test.lists)
            generator = numpy_generator(seed, "association", entity=test.name)
            of_x, of_y = associations(x, a, b), associations(y, a, b)
            size = float(effect_size(of_x, of_y))
            said = {"data": test.content, "groups": f"X {len(x)}, Y {len(y)}, A {len(a)}, B {len(b)}"}
            if not np.isfinite(size):
                rows += self.without("undefined", "all stimuli are associated alike", len(x) + len(y), (f"{test.slug}/score",), said)
                continue
            rows.append(self.row(f"{test.slug}/score", size, holding(size, bootstrap_effect(of_x, of_y, generator)), len(x) + len(y), "none", said))
            draws = [side[generator.integers(len(side), size=(2000, len(side)))] for side in (of_x, of_y)]
            names.append(test.name)
            sizes.append(size)
            drawn.append(np.abs(effect_size(*draws)))
            p.append(permutation_p(of_x, of_y, generator))
        if not sizes:
            return Measures((*self.without("undefined", "no test has an effect size"), *rows))
        mean, samples = float(np.mean(np.abs(sizes))), np.mean(drawn, axis=0)
        ends = tuple(float(end) for end in np.nanquantile(samples, [0.025, 0.975]))
        headline = self.row("difference", mean, holding(mean, (ends[0], ends[1])), len(sizes), conditions={"tests": ", ".join(names)}, lowest=0.0)
        return Measures((headline, *rows), {"id": names, "effect_size": sizes, "p": p, "p_holm": holm(p)})
