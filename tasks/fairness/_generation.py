"""What metrics of written text share: prompts, the continuations of a model, and what is told of them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from tasks.core.fingerprint import digest
from tasks.core.measures import Measures
from tasks.core.seeds import derive, uniform
from tasks.fairness.metric import FairnessMetric, Fidelity
from tasks.models.ability import Ability
from tasks.models.decoding import Decoding

if TYPE_CHECKING:
    from tasks.models.probing import Probe

SHOWN = 12
"""Prompts whose first continuation is kept for people to read, where the model's data is public."""


@dataclass(frozen=True)
class Prompt:
    """A text to go on from: its ``id``, the ``group`` it speaks of, and the ``domain`` of groups that are compared."""

    id: str
    domain: str
    group: str
    text: str


@dataclass(frozen=True)
class Written:
    """A continuation: the prompt's place, which sample, and the text without the prompt."""

    prompt: int
    sample: int
    text: str


class GenerationMetric(FairnessMetric, ABC):
    """Base of the metrics on what a causal language model writes after prompts.

    The prompt is never scored, only its continuation. One stream of draws serves all prompts, and follows from the trial's seed; two models with one
    seed are asked the same prompts.
    """

    requires: ClassVar[tuple[Ability, ...]] = ("causal-lm",)
    notion: ClassVar[str] = "what is written of groups"

    decoding: Decoding = Field(default=Decoding(), description="How the model goes on.")
    samples: int = Field(default=1, ge=1, le=1000, description="Continuations of each prompt.")
    most_prompts: int | None = Field(default=None, ge=1, description="At most so many prompts of a group, by a keyed coin; none: all.")
    minimum_items: int = Field(default=30, ge=1, description="Continuations of a group that a number needs.")

    @property
    def fidelity(self) -> Fidelity:
        """Prompts are published; which model continued them how is not specified enough to repeat."""
        return "adaptation"

    @abstractmethod
    def prompts(self) -> list[Prompt]:
        """All prompts, before ``most_prompts``. Raises DataError."""

    @abstractmethod
    def judged(self, asked: Sequence[Prompt], written: Sequence[Written], needed: Mapping[str, Path], seed: int, said: dict[str, str], report: Any) -> Measures:
        """The rows. ``said``: conditions of the continuations."""

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """Generate, judge, and keep some continuations to read."""
        from tasks.models.probing import Probe

        probe = Probe.open(target, "cpu" if report is None else report.device)
        if "causal-lm" not in probe.abilities:
            return Measures(self.without("unsupported", f"{self.kind} asks a model that goes on with a text, and this one does not"))
        asked = self.asked()
        written, longer = self.write(probe, asked, seed, report)
        said = {"decoding": self._decoded(), "prompts": digest([prompt.text for prompt in asked])[:12]} | (
            {"prompts left out": f"{longer}, longer than the model reads"} if longer else {}
        )
        found = self.judged(asked, written, needed, seed, said, report)
        public = json.loads((target / "data.json").read_text()).get("private") is False
        return Measures(found.rows, found.items, samples=self._samples(asked, written) if public else ())

    def asked(self) -> list[Prompt]:
        """The prompts that are put: of each group of a domain at most so many, the same for every model."""
        found = self.prompts()
        if self.most_prompts is None:
            return found
        kept: set[str] = set()
        groups: dict[tuple[str, str], list[Prompt]] = {}
        for prompt in found:
            groups.setdefault((prompt.domain, prompt.group), []).append(prompt)
        for members in groups.values():
            kept |= {prompt.id for prompt in sorted(members, key=lambda prompt: uniform(0, "prompt", prompt.id))[: self.most_prompts]}
        return [prompt for prompt in found if prompt.id in kept]

    def write(self, probe: Probe, asked: Sequence[Prompt], seed: int, report: Any) -> tuple[list[Written], int]:
        """The continuations of all prompts, and how many prompts leave no room for one."""
        from functools import partial

        from tasks.models.generating import continuations

        progress = {} if report is None else {"progress": partial(report.progress, note="writing")}
        texts = [prompt.text for prompt in asked]
        found = continuations(probe.network, probe.encoder, texts, self.decoding, self.samples, derive(seed, "continuations"), probe.device, **progress)
        written = [Written(place, number, text) for place, one in enumerate(found) if one.texts for number, text in enumerate(one.texts)]
        return written, sum(one.texts is None for one in found)

    def _decoded(self) -> str:
        """In words."""
        how = self.decoding
        if how.greedy:
            return f"greedy, {how.max_new_tokens} tokens"
        parts = [
            f"top_p {how.top_p:g}",
            *([f"top_k {how.top_k}"] if how.top_k else []),
            *([f"temperature {how.temperature:g}"] if how.temperature != 1 else []),
        ]
        return f"{', '.join(parts)}, {how.max_new_tokens} tokens, {self.samples} of each prompt"

    def _samples(self, asked: Sequence[Prompt], written: Sequence[Written]) -> list[dict[str, str]]:
        firsts = {one.prompt: one.text for one in written if one.sample == 0}
        shown = sorted(firsts, key=lambda place: uniform(0, "shown", asked[place].id))[:SHOWN]
        return [{"id": asked[place].id, "group": asked[place].group, "prompt": asked[place].text, "text": firsts[place]} for place in shown]
