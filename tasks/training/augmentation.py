"""Counterfactual augmentation: a training learns on texts and on their role reversals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.component import OneOf
from tasks.core.errors import UserError
from tasks.core.measures import Row, share
from tasks.text.counterfactual import COUNTERFACTUALS, Counterfactual, gender

if TYPE_CHECKING:
    import pandas as pd

    from tasks.models.batches import Encoded
    from tasks.models.model import TaskShape
    from tasks.text.tokenizer import TextEncoder

    Encode = Callable[[pd.DataFrame, TextEncoder, TaskShape], Encoded]

TASKS = ("intent", "lm", "mlm")
"""Those whose answer belongs to the whole text: a tag belongs to a word, which a reversal replaces."""


class Augmentation(BaseModel):
    """Counterfactual data augmentation (Lu et al., 2018, arXiv 1807.11714): each text that has a role reversal is learnt told of the other group too.

    A reversal is another example of the same record, with its label. Under privacy one example of a record is drawn for a step, so a record spends no
    more with its reversal than without. Texts without a reversal are learnt as they are. One side alone exchanges what the texts say of two groups;
    only two even it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[Counterfactual, OneOf(COUNTERFACTUALS)] = Field(default_factory=gender, description="The table of words that a role reversal swaps.")
    sides: Literal["two", "one"] = Field(default="two", description="two: the text and its reversal. one: the reversal in place of the text.")


@dataclass(frozen=True)
class Reversals:
    """How many texts have a word of a group, and how many of those a reversal."""

    gendered: int
    reversed: int

    def rows(self, name: str) -> tuple[Row, ...]:
        """``train/<name>``, their share; nothing where no text has a word of a group."""
        return share(f"train/{name}", self.reversed, self.gendered)


def encode_augmented(
    records: pd.DataFrame, encoder: TextEncoder, shape: TaskShape, augmentation: Augmentation, encode: Encode | None = None
) -> tuple[Encoded, Reversals]:
    """A split's records and their reversals as tensors.

    The examples of a record stand together, those of the text first, and share ``records``, which number the split's records.

    Args:
        records: the split.
        encoder: of the model.
        shape: what the model answers.
        augmentation: which words are swapped, and what is kept.
        encode: makes tensors of records; ``encode_split`` where none is given.

    Raises:
        UserError: the task's answers belong to words.
    """
    import torch

    from tasks.models.batches import encode_split

    if shape.task not in TASKS:
        raise UserError(f"augmentation: the answers of task '{shape.task}' belong to words, which a reversal replaces; it is for {', '.join(TASKS)}")
    texts, owners, found = reversals(records["text"].tolist(), augmentation)
    whole = records.iloc[owners].assign(text=texts).reset_index(drop=True)
    encoded = (encode or encode_split)(whole, encoder, shape)
    return replace(encoded, records=torch.tensor(owners, dtype=torch.long)[encoded.records]), found


def reversals(texts: list[str], augmentation: Augmentation) -> tuple[list[str], list[int], Reversals]:
    """The texts to learn on, in order, for each the place of the text that it was made of, and the counts."""
    from tasks.text.reversal import NO_WORD

    reverser = augmentation.table.reverser()
    told = [reverser.reverse(text) for text in texts]
    made: list[tuple[str, int]] = []
    for place, (text, found) in enumerate(zip(texts, told, strict=True)):
        if isinstance(found, str):
            made.append((text, place))
        else:
            made += [(text, place)] * (augmentation.sides == "two") + [(found.text, place)]
    counts = Reversals(sum(found != NO_WORD for found in told), sum(not isinstance(found, str) for found in told))
    return [text for text, _ in made], [place for _, place in made], counts
