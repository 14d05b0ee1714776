"""Speeches of Shakespeare's plays. Public domain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.columns import share_as_test
from tasks.data.dataset import Dataset, RawData, Task

SOURCE = Source(
    "input.txt",
    "https://raw.githubusercontent.com/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/distributed/minGPT-ddp/mingpt/data/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


class Shakespeare(Dataset):
    """Plays of Shakespeare in one text of 1.1 MB (as in char-rnn): a record is a speech, its user the speaker. Public text, nobody's records.

    Blocks stand between blank lines; the first line of a block, without its colon, is the speaker and the rest the speech. That makes
    7,222 blocks of 309 speakers, of which 125 have a speaker and no speech: 7,097 records of 299 speakers.

    A speaker is the label as written. Ignoring case, 6 pairs would become one, among them pages of different plays; "Messenger" and
    "All" are roles of many plays either way, not people. There are no dates.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("lm", "mlm")
    private: ClassVar[bool] = False

    kind: Literal["shakespeare"]
    test_share: float = Field(default=0.1, gt=0, lt=1, description="Share of speeches to test on, by a keyed coin per text: the same for every seed.")

    def content_digest(self) -> str:
        """Digest of the pinned file."""
        return digest_of((SOURCE,))

    def load(self, cache: Path) -> RawData:
        """The speeches, lines of verse kept, with their speakers in train and test."""
        import pandas as pd

        found = pd.DataFrame(speeches(fetch("shakespeare", SOURCE, cache).read_text()), columns=["user", "text"])
        train, test = share_as_test(found.loc[found["text"] != "", ["text", "user"]], self.test_share)
        return RawData({"train": train, "test": test}, {"licence": "public domain", "url": SOURCE.url})


def speeches(plays: str) -> Iterator[tuple[str, str]]:
    """Speaker and speech of every block, the speech empty where there is none. A block whose first line names nobody is left out."""
    for block in plays.split("\n\n"):
        first, _, rest = block.strip("\n").partition("\n")
        if first.endswith(":") and len(first) > 1:
            yield first[:-1], rest.strip()
