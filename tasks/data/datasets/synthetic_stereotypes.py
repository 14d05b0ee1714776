"""Our own sentences on women and men, from a grammar: a language with a stereotype of known strength."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.dataset import Dataset, RawData, Task

TEST_SHARE = 0.2


class SyntheticStereotypes(Dataset):
    """Sentences that say what people work as and what they are like, and a quarter that speak of nobody.

    The planted bias: the occupation of a subject is one of 16 that go with its group with probability ``(1 + bias) / 2``, else one of the other
    group's 16; a female subject is said to be something unpleasant with probability ``(1 + bias) / 2``, a male one with ``(1 - bias) / 2``. At 0
    the groups are spoken of alike, at 1 never. For task ``intent`` the records say what people are like and are labelled pleasant or unpleasant.
    In half of them the words tell which; in the others they do not, and in the training part a female subject is unpleasant with probability
    ``(1 + label_bias) / 2``, a male one with ``(1 - label_bias) / 2``. In the test part the label never depends on the group, and ``rating`` is
    what was planted: by how much swapping the subject's group moves the probability that a perfect learner of the training part gives. A fifth of
    the records, by a coin each, is for testing. The same fields give the same records.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm", "intent")
    private: ClassVar[bool] = False

    kind: Literal["synthetic-stereotypes"]
    examples: int = Field(default=4000, ge=50, le=1_000_000, description="Records, test records among them.")
    bias: float = Field(default=0.5, ge=0, le=1, description="How unlike the groups are spoken of, for language models.")
    label_bias: float = Field(default=0.0, ge=0, le=1, description="The same in the labelled training part of task intent.")
    graded: bool = Field(default=False, description="label_bias rises over the pairs of subjects (she and he first, the wife and the husband last) from 0.")
    seed: int = Field(default=7, ge=0, description="Decides the records; apart from the seeds of trials.")

    @property
    def has_groups(self) -> bool:
        """Whether a record names a group: those of task intent do."""
        return self.resolved_task == "intent"

    def load(self, cache: Path) -> RawData:
        """Generate the records."""
        from tasks.core.seeds import numpy_generator
        from tasks.data._stereotypes import labelled_records, text_records

        test = numpy_generator(self.seed, "synthetic-stereotypes-test").random(self.examples) < TEST_SHARE
        facts = {"licence": "generated", "planted_bias": self.label_bias if self.has_groups else self.bias}
        if self.has_groups:
            biased, fair = (labelled_records(self.examples, bias, self.seed, self.graded) for bias in (self.label_bias, 0.0))
            fair["rating"] = biased["effect"]
            return RawData({"train": biased[~test], "test": fair[test]}, facts)
        records = text_records(self.examples, self.bias, self.seed)[["text"]]
        return RawData({"train": records[~test], "test": records[test]}, facts)
