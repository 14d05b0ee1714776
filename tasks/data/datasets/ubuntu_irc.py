"""Messages of the Ubuntu IRC channel, 2004-2018 (Kummerfeld et al., ACL 2019). CC BY 4.0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import digest_of, fetch
from tasks.data.columns import share_as_test
from tasks.data.dataset import DataError, Dataset, RawData, Task
from tasks.data.datasets._ubuntu_irc import BASE, SOURCES, messages

if TYPE_CHECKING:
    import pandas as pd


class UbuntuIrc(Dataset):
    """The 173 days of #ubuntu that Kummerfeld et al. (ACL 2019, arXiv 1810.11118) sampled: a record is a message, its user the nick.

    221,056 messages by 17,777 nicks; 216,660 by 17,775 without the two bots, of which 5 are white space and left out. Activity is
    skewed: the most active tenth of nicks wrote 57%.

    Days are a sample, so windows of a year or more make sense. The date is that of the file and the clock is as printed: logs before
    late 2007 show 12 hours without saying which half, and some files pass midnight, so order within a day is only nearly right.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")

    kind: Literal["ubuntu-irc"]
    test_share: float = Field(default=0.1, gt=0, lt=1, description="Share of messages to test on, by a keyed coin per text: the same for every seed.")
    drop: tuple[str, ...] = Field(default=("ubottu", "ubotu"), description="Nicks to leave out: by default the two bots that answer with stock texts.")

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(SOURCES)

    def load(self, cache: Path) -> RawData:
        """The messages of everyone not dropped, with user and time in train and test."""
        files = {source.name: fetch("ubuntu-irc", source, cache).read_bytes().decode() for source in SOURCES}
        train, test = share_as_test(self._kept(messages(files)), self.test_share)
        return RawData({"train": train, "test": test}, {"licence": "CC BY 4.0", "url": BASE, "dropped": list(self.drop)})

    def _kept(self, found: pd.DataFrame) -> pd.DataFrame:
        """What people wrote. Raises DataError for a nick to drop that nobody has."""
        absent = sorted(set(self.drop) - set(found["user"]))
        if absent:
            raise DataError(f"ubuntu-irc: drop names '{absent[0]}', a nick that nobody has; nicks are written as in the logs, case included")
        return found[~found["user"].isin(self.drop) & (found["text"].str.strip() != "")]
