"""Accounts kept: calibration and accounting take seconds and depend on public numbers alone, so each is done once per machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from tasks.privacy.keeping import kept
from tasks.privacy.mechanism import Adjacency, Mechanism, Release, Repetition
from tasks.privacy.noise import Noise


@cache
def spend(
    releases: Callable[[Noise, float], tuple[Release, ...]],
    noise: Noise,
    adjacency: Adjacency,
    repetition: Repetition | None,
    accountant: str,
    delta: float,
    target_epsilon: float | None,
    noise_multiplier: float | None,
    moves: int = 1,
) -> tuple[float, Mechanism, dict[str, float]]:
    """The noise multiplier (calibrated where a target is given), the mechanism and the upper bound of every accountant.

    Args:
        releases: what is composed, from the noise and its multiplier.
        moves: by how many times the clip norm one unit can move the sum.

    Raises CalibrationError, and AccountingError where accountants contradict each other or the target is missed.
    """

    def mechanism_of(multiplier: float) -> Mechanism:
        return Mechanism(releases(noise, multiplier / moves), adjacency, repetition)

    asked = {
        "mechanism": asdict(mechanism_of(1.0)),
        "noise": noise.model_dump(mode="json"),
        "accountant": accountant,
        "delta": delta,
        "target_epsilon": target_epsilon,
        "noise_multiplier": noise_multiplier,
    }
    found = kept(asked, lambda: _worked_out(mechanism_of, accountant, delta, target_epsilon, noise_multiplier), lambda found: _account(found, accountant))
    return found["noise_multiplier"], mechanism_of(found["noise_multiplier"]), found["epsilons"]


def together(mechanisms: Counter[Mechanism], delta: float) -> float:
    """Epsilon of several mechanisms composed, each as often as it is counted, not their epsilons added: by PLD, or by RDP where one is a search or has
    samples of fixed size, which only RDP accounts for. Where neither accounts for all of them, the two bounds are added, each at half of delta.

    All must be of one adjacency.
    """
    asked = {"composed": sorted(([asdict(mechanism), times] for mechanism, times in mechanisms.items()), key=repr), "delta": delta}
    return float(kept(asked, lambda: {"epsilon": _composed(mechanisms, delta)}, lambda found: {"epsilon": float(found["epsilon"])})["epsilon"])


def _composed(mechanisms: Counter[Mechanism], delta: float) -> float:
    from tasks.privacy.accountant import accountants, epsilon
    from tasks.privacy.accountants.rdp import compose_by_rdp

    adjacency = next(iter(mechanisms)).adjacency
    by_rdp = Counter({mechanism: times for mechanism, times in mechanisms.items() if mechanism.repetition is not None or mechanism.fixed_size})
    others = mechanisms - by_rdp
    if by_rdp and any(accountants()["rdp"].unsupported(mechanism) is not None or mechanism.adjacency == "replace-one" for mechanism in others):
        return compose_by_rdp(by_rdp, delta / 2) + _composed(others, delta / 2)
    if by_rdp:
        return compose_by_rdp(mechanisms, delta)
    counts: Counter[Release] = Counter()
    for mechanism, times in mechanisms.items():
        for release in mechanism.releases:
            counts[replace(release, count=1)] += release.count * times
    releases = tuple(replace(release, count=count) for release, count in counts.items())
    return epsilon("pld", Mechanism(releases, adjacency), delta).high


def _worked_out(mechanism_of: Any, accountant: str, delta: float, target: float | None, noise_multiplier: float | None) -> dict[str, Any]:
    from tasks.privacy.accountant import AccountingError, accountants
    from tasks.privacy.accounting import bounds
    from tasks.privacy.calibrating import calibrate

    multiplier = noise_multiplier if target is None else calibrate(mechanism_of, target, delta, accountant)
    assert multiplier is not None  # the block has exactly one of the two
    epsilons = {name: bound.high for name, bound in bounds(mechanism_of(multiplier), delta).items()}
    if accountant not in epsilons:
        why = accountants()[accountant].unsupported(mechanism_of(multiplier)) or f"{accountant} works out no epsilon as large, or at a delta as small"
        raise AccountingError(f"{why}: write another privacy.accountant ({' or '.join(epsilons) or 'none has a number'})")
    if target is not None and epsilons[accountant] > target:
        raise AccountingError(f"noise multiplier {multiplier:.6g} gives epsilon {epsilons[accountant]:.6g}, above the target {target:g}")
    return {"noise_multiplier": multiplier, "epsilons": epsilons}


def _account(found: Mapping[str, Any], accountant: str) -> dict[str, Any]:
    """A kept account as it should be. Raises where it is another thing."""
    epsilons = {str(name): float(value) for name, value in found["epsilons"].items()}
    if accountant not in epsilons:
        raise KeyError(accountant)
    return {"noise_multiplier": float(found["noise_multiplier"]), "epsilons": epsilons}
