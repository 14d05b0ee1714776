"""The test of the privacy mechanism itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from tasks.attacks.attack import Attack
from tasks.core.measures import Direction, Measures, MechanismCheck, Need, Row
from tasks.training.mechanism_check import FACTS, OF_RECORD

FALSE_ALARM = 1e-6
"""Of all tests of the noise together."""
NEGLIGIBLE = 0.02
"""Deviations by which rounding of the clipped sums may move a statistic at most. The smallest spread of a statistic is 0.7, so the false alarm stays below
1.2e-6."""
SAME = 1e-4
"""By so much of the clip norm, for each contribution, a sum may be off that of contributions one by one; engines here are off by 1e-6 at most."""
EXCESS = 1e-6
"""By so much an engine may exceed its bound, as a share of it."""
WAYS: Mapping[str, tuple[Direction, float | None]] = {
    "noise_ratio": ("none", None),
    "noise_p_value": ("none", 1.0),
    "sensitivity_ratio": ("lower", None),
    "violations": ("lower", None),
}
"""Every number, which way is better, and the most that it can be."""
WORDS = {
    "variance": "the noise does not have the accounted deviation",
    "mean": "the noise is not centred",
    "law": "the noise is not normal",
    "steps": "the noise of a {release} follows from that of other {release}s",
    "count": "the noise on the count does not have the accounted deviation",
}
TAKES_PART = {"step": "record", "round": "device"}
"""What is summed up in a step of a training, and in a round of a federation."""


class MechanismTest(Attack):
    """Holds the mechanism that a trial trains under against its account, on the trial's own data and network. It needs no other model and no non-members.

    The direct test of the noise: of the first ``steps`` updates, times the divisor, the clipped sum is taken away, which the loop engine adds up beside
    the training's, or of the rounds of a federation each device trained by itself; what is left must be independent and normal, of the accounted
    deviation. The neighbouring-datasets test: with a unit less, no public number may change, by a bit, and no sum by more than its sensitivity. A
    mechanism that fails has not the epsilon that it claims; one that passes may still have other faults, which attacks look for from outside.

    All is seen at the first weights, without dropout, in one process, with the draws of the seed: a trial whose randomness is reproducible takes the same.
    An update of a training in several processes is added up from the same pieces.
    """

    needs_pools: ClassVar[bool] = False

    kind: Literal["mechanism"]
    steps: int = Field(default=8, ge=1, le=1000, description="How many steps, or rounds of a federation, are looked at, record by record, or device by device.")

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The check."""
        return (MechanismCheck(steps=self.steps),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """``noise_ratio`` (recorded deviation over the accounted one, with its exact 95% interval), ``noise_p_value`` (of the smallest of the tests of the
        noise, times their number), ``sensitivity_ratio`` (the largest move by a unit over the allowed one) and ``violations`` (tests that failed).
        """
        facts = json.loads((needed["mechanism"] / FACTS).read_text())
        if not facts["private"]:
            reason = "the trial trains without a privacy mechanism: there is nothing to hold against an account"
            return Measures(tuple(self._row(name, self._conditions("step"), status="unsupported", reason=reason) for name in WAYS))
        record = json.loads((target / "privacy.json").read_text())
        said = {name: facts["conditions"][name] for name in ("unit", "adjacency", "delta")} | self._conditions(facts["release"])
        return Measures((*self._noise(facts, said), self._sensitivity(facts, said), self._violations(facts, record, said)))

    def _noise(self, facts: Mapping[str, Any], said: dict[str, str]) -> Iterator[Row]:
        """The ratio and the p-value."""
        noise, doubt = facts["noise"], _not_told(facts)
        if doubt is not None:
            yield from (self._row(name, said, n=noise["numbers"], status="insufficient_evidence", reason=doubt) for name in ("noise_ratio", "noise_p_value"))
            return
        low, high = spread(noise["squares"], noise["numbers"])
        reason = "the sum that was taken away is the engine's own, which is the loop" if facts["own_twin"] else None
        ratio = math.sqrt(noise["squares"] / noise["numbers"])
        yield self._row("noise_ratio", said, value=ratio, low=low, high=high, interval="items", n=noise["numbers"], reason=reason)
        p_values = noise["p_values"].values()
        yield self._row("noise_p_value", said, value=min(1.0, len(p_values) * min(p_values)), n=noise["numbers"], reason=reason)

    def _sensitivity(self, facts: Mapping[str, Any], said: dict[str, str]) -> Row:
        moved = facts["moved"]
        if moved is None:
            return self._row("sensitivity_ratio", said, status="insufficient_evidence", reason=_nobody(facts))
        return self._row("sensitivity_ratio", said, value=max(moved["sums"], moved["counts"] or 0.0), n=moved["units"])

    def _violations(self, facts: Mapping[str, Any], record: Mapping[str, Any], said: dict[str, str]) -> Row:
        """How many tests failed, and which. None failed only where all could be made."""
        tests = dict(_tests(facts, record))
        failed = [words for words, holds in tests.items() if not holds]
        open_ = [doubt for doubt in (_not_told(facts), _nobody(facts) if facts["moved"] is None else None) if doubt is not None]
        if open_ and not failed:
            return self._row("violations", said, n=len(tests), status="insufficient_evidence", reason="; ".join(open_))
        return self._row("violations", said, value=len(failed), n=len(tests), reason="; ".join(failed) or None)

    def _row(self, name: str, said: dict[str, str], **rest: Any) -> Row:
        direction, highest = WAYS[name]
        full = {"name": self.metric("privacy", name), "direction": direction, "lowest": 0.0, "highest": highest, "conditions": said}
        return Row.model_validate({"value": None, **full, **rest})

    def _conditions(self, release: str) -> dict[str, str]:
        return {"protocol": f"the first {self.steps} {release}s at the first weights"}


def spread(squares: float, numbers: int) -> tuple[float, float]:
    """The exact 95% interval of the deviation of normal numbers, from the sum of their squares."""
    from scipy import stats

    from tasks.core.bootstrap import LEVEL

    chi = stats.chi2(numbers)
    low, high = (math.sqrt(squares / float(chi.ppf((1 + sign * LEVEL) / 2))) for sign in (1, -1))
    return low, high


def _tests(facts: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Every test that could be made: what its failing means, and whether it holds."""
    noise, moved = facts["noise"], facts["moved"]
    if _not_told(facts) is None:
        p_values = noise["p_values"]
        yield from ((WORDS[name].format(release=facts["release"]), p >= FALSE_ALARM / len(p_values)) for name, p in p_values.items())
    yield "the clipped sum is not that of contributions added up one by one", noise["sum"] <= SAME
    if moved is not None:
        yield "a clipped contribution is longer than the clip norm", moved["longest"] <= 1 + EXCESS
        yield "one unit moves the sum further than the account allows", moved["sums"] <= 1 + EXCESS + moved["rounding"]
        if moved["counts"] is not None:
            yield "one unit moves the count further than the account allows", moved["counts"] <= 1 + EXCESS
    if "rate" in facts:
        yield "a unit takes part more often than the account says", facts["rate"] <= 1 + EXCESS
    follow = facts["follows_from_the_records"]
    yield f"with a unit less there is another value of {', '.join(follow)}", not follow
    other = [name for name in OF_RECORD if facts["record"].get(name) != record.get(name)]
    yield f"the trained model's record says another {', '.join(other)}", not other


def _not_told(facts: Mapping[str, Any]) -> str | None:
    """Why nothing can be said of the noise; None where it can."""
    rounding = facts["noise"]["rounding"]
    if rounding <= NEGLIGIBLE:
        return None
    return f"two ways to add up the clipped sums are {rounding:.2g} deviations of the noise apart, and {NEGLIGIBLE:g} could be told from noise"


def _nobody(facts: Mapping[str, Any]) -> str:
    return f"no {TAKES_PART[facts['release']]} took part in the first {facts['steps']} {facts['release']}s: raise steps"
