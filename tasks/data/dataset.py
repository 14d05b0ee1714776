"""Datasets: where the records of a study come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import Component, Family
from tasks.core.errors import UserError
from tasks.data.periods import Period

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["intent", "tagging", "joint", "qa", "seq2seq", "lm", "mlm"]


class DataError(UserError):
    """Data that cannot be had or used; the message is the one line a person needs."""


@dataclass(frozen=True)
class RawData:
    """Records as a dataset gives them.

    Args:
        splits: ``train``, ``test`` and perhaps ``validation``; columns are a subset of text, label, tokens, slots, user, time, group, rating, context,
            answer, answer_start, target.
        facts: public facts such as licence and source.
    """

    splits: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Dataset(Component, ABC):
    """Base of every data block.

    ``public_size`` is the public number N of members from which sampling rate, steps and divisor follow. ``attack_holdout``
    is the expected number of non-members kept out of training for attacks.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("intent",)
    private: ClassVar[bool] = True

    task: Task | None = Field(default=None, description="What is learnt; without it, the dataset's natural task.")
    period: Period | None = Field(default=None, description="Only the records of these days, by their time, in every split.")
    limit: int | None = Field(default=None, gt=0, description="Keep this many training records, the same for every seed.")
    population: str | None = Field(
        default=None, pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of the people in the ledger: 1 to 64 letters, digits, '.', '_' and '-'."
    )
    public_size: int | None = Field(default=None, gt=0, description="Public number of members.")
    attack_holdout: int = Field(default=0, ge=0, description="Expected number of non-members for attacks.")
    attack_holdout_by: Literal["example", "user"] = Field(
        default="example",
        description="What is held out by a coin: each record, or each user with all records; then public_size and attack_holdout count users.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        if self.attack_holdout and self.public_size is None:
            raise ValueError("attack_holdout needs public_size: the share held out follows from both")
        if self.task is not None and self.task not in self.tasks:
            raise ValueError(f"task '{self.task}' is not served by {self.kind}; choose one of {', '.join(self.tasks)}")
        return self

    @property
    def resolved_task(self) -> Task:
        """The task, with the dataset's natural one where none is given."""
        return self.task or self.tasks[0]

    @property
    def is_private(self) -> bool:
        """Whether the records are people's own, whatever is claimed of them elsewhere."""
        return type(self).private

    @property
    def has_groups(self) -> bool:
        """Whether records name a group of people."""
        return False

    @abstractmethod
    def load(self, cache: Path) -> RawData:
        """The records. ``cache`` is the catalogue's folder. Raises DataError."""


DATASETS = Family("data", "tasks.data.datasets", Dataset)
