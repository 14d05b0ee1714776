"""Our own utterances, from a grammar: nothing to download, nobody's records, a bias of known size."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tasks.data.dataset import Dataset, RawData, Task

TEST_SHARE = 0.2


class SyntheticAssistant(Dataset):
    """Utterances with intent, slots, user, date and group.

    Users are skewed: the r-th speaks with probability proportional to 1 / r. Every user is of group ``a`` or ``b``. The planted
    bias: with probability ``bias`` an utterance of group ``b`` uses words that fit two intents alike, so that nobody can do
    better than a coin on it. The best possible accuracy is 1 for group ``a`` and ``1 - bias / 2`` for group ``b``: a gap of
    ``bias / 2``. A fifth of the records, by a coin each, is for testing. The same fields give the same records.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("joint", "intent", "tagging", "lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["synthetic-assistant"]
    examples: int = Field(default=4000, ge=50, le=1_000_000, description="Records, test records among them.")
    users: int = Field(default=200, ge=2, le=100_000, description="People who speak.")
    intents: int = Field(default=12, ge=2, le=20, description="Intents; an even number, they come in pairs that can be confused.")
    bias: float = Field(default=0.3, ge=0, le=1, description="Share of group b's utterances that fit two intents alike.")
    seed: int = Field(default=7, ge=0, description="Decides the records; apart from the seeds of trials.")

    @model_validator(mode="after")
    def _paired(self) -> SyntheticAssistant:
        if self.intents % 2:
            raise ValueError(f"intents must be even, they come in pairs (got {self.intents})")
        return self

    @property
    def accuracy_gap(self) -> float:
        """The planted gap in best possible accuracy between groups a and b."""
        return self.bias / 2

    @property
    def has_groups(self) -> bool:
        """Groups a and b."""
        return True

    def load(self, cache: Path) -> RawData:
        """Generate the records."""
        from tasks.core.seeds import numpy_generator
        from tasks.data._synthetic import generate

        records = generate(self.examples, self.users, self.intents, self.bias, self.seed)
        test = numpy_generator(self.seed, "synthetic-assistant-test").random(len(records)) < TEST_SHARE
        facts = {"licence": "generated", "planted_accuracy_gap": self.accuracy_gap}
        return RawData({"train": records[~test], "test": records[test]}, facts)
