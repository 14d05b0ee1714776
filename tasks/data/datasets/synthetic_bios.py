"""Our own short biographies, from a grammar, to be classified by profession: a known skew of gender by profession that a classifier may lean on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.dataset import Dataset, RawData, Task

TEST_SHARE = 0.2


class SyntheticBios(Dataset):
    """Texts of three sentences on a person of one of 16 professions, which is the label and never named; ``group`` is ``female`` or ``male``.

    The things and places tell the profession, and not with certainty: each is one of the profession's own three times in five, else any, and every thing
    is of two professions. Every sentence tells the gender. The planted skew: in the training part a person with one of eight professions is a woman with
    probability ``(1 + skew) / 2``, with one of the eight others with ``(1 - skew) / 2``; in the test part professions and gender are independent. The gap
    in true positive rates of a classifier that reads the gender therefore grows with ``skew``; one that reads things and places alone has none. After
    De-Arteaga et al. (FAT* 2019), whose biographies are people's own. A fifth of the records, by a coin each, is for testing, with the same texts whatever the
    ``skew``. The same fields give the same records.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = False

    kind: Literal["synthetic-bios"]
    examples: int = Field(default=4000, ge=50, le=1_000_000, description="Records, test records among them.")
    skew: float = Field(default=0.8, ge=0, le=1, description="How much a profession tells of gender in the training part.")
    seed: int = Field(default=7, ge=0, description="Decides the records; apart from the seeds of trials.")

    @property
    def has_groups(self) -> bool:
        """Every record names one."""
        return True

    def load(self, cache: Path) -> RawData:
        """Generate the records."""
        from tasks.core.seeds import numpy_generator
        from tasks.data._bios import bios

        test = numpy_generator(self.seed, "synthetic-bios-test").random(self.examples) < TEST_SHARE
        records = bios([0.0 if held_out else self.skew for held_out in test], self.seed)
        return RawData({"train": records[~test], "test": records[test]}, {"licence": "generated", "planted_skew": self.skew})
