"""Calibration: the least noise that keeps epsilon at or below a target. A bracket by RDP, which is quick, then the reported accountant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tasks.core.errors import UserError
from tasks.privacy.accountant import epsilon
from tasks.privacy.mechanism import Mechanism

TOLERANCE = 1e-3
"""Epsilon lies at most this share below its target."""
LEAST, MOST = 0.05, 1e5
ADVICE = "raise it, raise privacy.delta, or train for fewer steps"
SECANTS, MOST_LOOKS = 8, 40
JUMP = 1e-4
"""How near, in noise, the two sides of a jump of epsilon are told apart."""
RDP_EXCESS, REPLACE_EXCESS = 1.15, 1.6
"""RDP says about this much more than PLD, and replace-one costs about this much more than add/remove: where the exact search begins."""
USUAL_SLOPE, SHALLOWEST = -1.3, -0.3
"""Of log epsilon against log noise."""

MechanismOf = Callable[[float], Mechanism]
"""The mechanism by its noise multiplier."""


class CalibrationError(UserError):
    """No noise within reason meets the target."""


def calibrate(mechanism_of: MechanismOf, target_epsilon: float, delta: float, accountant: str) -> float:
    """The noise multiplier at which the accountant's epsilon is at most the target, and at least (1 - TOLERANCE) of it, if it does not jump there.

    Raises CalibrationError, and OutOfReach where the accountant has no number at this delta.
    """
    rough = partial(_epsilon, _by_rdp(mechanism_of), delta, "rdp")
    found = _bracket(rough, target_epsilon * _excess(mechanism_of(1.0), accountant))
    if found is None:
        raise CalibrationError(f"target_epsilon {target_epsilon:g} asks for a noise multiplier above {MOST:g}: {ADVICE}")
    first, slope = found
    return _secant(partial(_epsilon, mechanism_of, delta, accountant), target_epsilon, first, slope)


def _by_rdp(mechanism_of: MechanismOf) -> MechanismOf:
    """The nearest mechanism that RDP, the quickest accountant, supports."""

    def nearest(noise: float) -> Mechanism:
        mechanism = mechanism_of(noise)
        if mechanism.fixed_size:
            return mechanism
        return replace(mechanism, adjacency="add-remove", releases=tuple(replace(release, limit=None, population=None) for release in mechanism.releases))

    return nearest


def _excess(mechanism: Mechanism, accountant: str) -> float:
    """About how much more RDP says of that one than the accountant of the mechanism itself."""
    return (1.0 if accountant == "rdp" else RDP_EXCESS) / (REPLACE_EXCESS if mechanism.adjacency == "replace-one" and not mechanism.fixed_size else 1.0)


def _bracket(epsilon: Callable[[float], float], target: float) -> tuple[float, float] | None:
    """Noise that meets a target nearly, by bisection in the logarithm, and the slope of log epsilon against log noise there.

    None where no noise up to MOST meets it.
    """
    low, high = LEAST, 1.0
    while (found := epsilon(high)) > target:
        low, high = high, 2 * high
        if high > MOST:
            return None
    looks = {high: found}
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        looks[middle] = epsilon(middle)
        low, high = (middle, high) if looks[middle] > target else (low, middle)
    (a, b) = sorted(looks, key=lambda noise: abs(math.log(noise / high)))[:2] if len(looks) > 1 else (high, high)
    slope = math.log(looks[a] / looks[b]) / math.log(a / b) if a != b and min(looks[a], looks[b]) > 0 else USUAL_SLOPE
    return high, min(slope, SHALLOWEST)


def _secant(epsilon: Callable[[float], float], target: float, noise: float, slope: float) -> float:
    """Steps on log epsilon against log noise, which is nearly a line, each aiming a little below the target; halving where it is none.

    An accountant may jump over the target (RDP from its highest order to zero): then the least noise on the right side of the jump.
    """
    last: tuple[float, float] | None = None
    little, enough = 0.0, math.inf
    for look in range(MOST_LOOKS):
        found = epsilon(noise) if noise <= MOST else math.inf
        if not math.isfinite(found):
            break
        if target * (1 - TOLERANCE) <= found <= target or (noise <= LEAST and found <= target):
            return noise
        little, enough = (noise, enough) if found > target else (little, noise)
        if enough <= little * (1 + JUMP):
            return enough
        here = (math.log(noise), math.log(max(found, 1e-12)))
        if last is not None and last[0] != here[0]:
            slope = min((here[1] - last[1]) / (here[0] - last[0]), SHALLOWEST)
        last = here
        noise = max(LEAST, math.exp(here[0] + (math.log(target * (1 - TOLERANCE / 2)) - here[1]) / slope))
        if look >= SECANTS or not little < noise < enough:
            noise = max(LEAST, _between(little, enough))
    raise CalibrationError(f"target_epsilon {target:g} could not be met to {TOLERANCE:.1%}: {ADVICE}, or give privacy.noise_multiplier instead")


def _between(little: float, enough: float) -> float:
    """Halfway in the logarithm, or twice or half of the one that is known."""
    if little and math.isfinite(enough):
        return math.sqrt(little * enough)
    return 2 * little if little else enough / 2


def _epsilon(mechanism_of: MechanismOf, delta: float, accountant: str, noise: float) -> float:
    return epsilon(accountant, mechanism_of(noise), delta).high
