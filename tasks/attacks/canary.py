"""Attacks that look for canaries: how much of the secrets in the training data a model gives away."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tasks.attacks.attack import Attack
from tasks.core.measures import Direction, Measures, Row

if TYPE_CHECKING:
    from tasks.attacks._candidates import Hunted

EXACT, HAMMING = "exact_match", "hamming"


class CanaryAttack(Attack, ABC):
    """Base of the attacks on canaries. Numbers are means over the canaries of a model, under ``privacy/canary/``, or under the label where there is one."""

    needs_pools: ClassVar[bool] = False

    def metric(self, prefix: str, *rest: str) -> str:
        """Under the label, or ``canary``: what is measured is the canary, whatever looks for it."""
        return "/".join((prefix, self.name if self.label else "canary", *rest))

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """Look for every canary of the model."""
        from tasks.attacks._candidates import hunted

        return self.hunt(hunted(target, data, report.device), seed, report)

    @abstractmethod
    def hunt(self, hunted: Hunted, seed: int, report: Any) -> Measures:
        """The numbers."""

    def row(self, name: str, values: Sequence[float], hunted: Hunted, direction: Direction, ends: tuple[float, float], **conditions: str) -> Row:
        """The mean over canaries, with an exact interval for shares of canaries and Student's for other numbers."""
        from tasks.attacks._candidates import interval_of

        value, low, high = interval_of(values, ends, share=name.endswith(EXACT))
        spread = {} if low is None else {"low": low, "high": high, "interval": "items"}
        about = {"secret": f"{hunted.block.length} of {len(hunted.block.alphabet)} symbols", **conditions}
        return Row(
            name=self.metric("privacy", name),
            value=value,
            n=len(values),
            direction=direction,
            lowest=ends[0],
            highest=ends[1],
            conditions=about,
            reason=None if spread else "no interval of a single canary",
            **spread,
        )

    def found(self, prefix: str, guesses: Sequence[Sequence[str]], hunted: Hunted) -> tuple[tuple[Row, ...], dict[str, list[Any]]]:
        """Share of secrets guessed right, and of symbols guessed wrong; the same by canary. Chance gets one in all candidates right."""
        pairs = list(zip(guesses, hunted.secrets, strict=True))
        exact = [float(tuple(guess) == tuple(secret)) for guess, secret in pairs]
        wrong = [sum(one != other for one, other in zip(guess, secret, strict=True)) / len(secret) for guess, secret in pairs]
        chance = 1 - 1 / len(hunted.block.alphabet)
        rows = (
            self.row(f"{prefix}{EXACT}", exact, hunted, "lower", (0.0, 1.0), chance=f"{1 / hunted.block.candidates:g}"),
            self.row(f"{prefix}{HAMMING}", wrong, hunted, "higher", (0.0, 1.0), chance=f"{chance:g}"),
        )
        return rows, {f"{prefix}exact": exact, f"{prefix}wrong": wrong}
