"""Our own short texts on people with a profession, from a grammar: a language with a known skew of gender by profession."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.dataset import Dataset, RawData, Task

TEST_SHARE = 0.2


class SyntheticProfessions(Dataset):
    """Texts of four sentences: the first tells a profession, the others speak of the person as she or he, in agreement.

    The planted skew: of the people with one of 16 professions a share ``(1 + skew) / 2`` are women, with the 16 others ``(1 - skew) / 2``. At 0 gender tells
    nothing of the profession, not even by chance, at 1 everything. A fifth of the records, by a coin each, is for testing. The same fields give the same
    records.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["synthetic-professions"]
    examples: int = Field(default=4000, ge=50, le=1_000_000, description="Records, test records among them.")
    skew: float = Field(default=0.8, ge=0, le=1, description="How much a profession tells of gender.")
    seed: int = Field(default=7, ge=0, description="Decides the records; apart from the seeds of trials.")

    def load(self, cache: Path) -> RawData:
        """Generate the records."""
        import pandas as pd

        from tasks.core.seeds import numpy_generator
        from tasks.data._biographies import biographies

        test = numpy_generator(self.seed, "synthetic-professions-test").random(self.examples) < TEST_SHARE
        records = pd.DataFrame({"text": biographies(self.examples, self.skew, self.seed)})
        return RawData({"train": records[~test], "test": records[test]}, {"licence": "generated", "planted_skew": self.skew})
