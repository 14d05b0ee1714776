"""Counterfactual tables: which words stand for one group of people, and which for another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tasks.core.component import Component, Family

if TYPE_CHECKING:
    from tasks.text.reversal import Reverser


class Counterfactual(Component, ABC):
    """Base of every swap table. What it makes of a text is its role reversal: the same text, told of the other group."""

    @abstractmethod
    def reverser(self) -> Reverser:
        """What reverses texts. Raises UserError for words that cannot be swapped to and fro."""


COUNTERFACTUALS = Family("counterfactual", "tasks.text.counterfactuals", Counterfactual)


def gender() -> Counterfactual:
    """The table of words where none is named."""
    found = COUNTERFACTUALS.parse({"kind": "gender"})
    assert isinstance(found, Counterfactual)
    return found
