"""Accounting: every accountant that supports a mechanism is asked, they must agree, and one of them is reported."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from tasks.privacy.accountant import AccountingError, Bound, OutOfReach, accountants, epsilon
from tasks.privacy.accountants.prv import ERROR, LARGEST
from tasks.privacy.mechanism import Mechanism

SLACK = 0.01
"""Discretisation may lift one of two bounds that are equal by this much."""


def bounds(mechanism: Mechanism, delta: float) -> dict[str, Bound]:
    """The bound of every accountant that supports the mechanism and has a number for it. Raises AccountingError where two contradict each other."""
    found: dict[str, Bound] = {}
    for name, accountant in accountants().items():
        out_of_reach = name == "prv" and min((bound.high for bound in found.values()), default=0.0) + ERROR > LARGEST
        if accountant.unsupported(mechanism) is None and not out_of_reach:
            with suppress(OutOfReach):
                found[name] = epsilon(name, mechanism, delta)
    agree(found)
    return found


def agree(found: Mapping[str, Bound]) -> None:
    """Require PRV's lower bound <= PLD <= PRV's upper bound <= RDP, to discretisation. Raises AccountingError."""
    for name, bound in found.items():
        for other, claimed in found.items():
            if bound.low is not None and claimed.high < bound.low:
                raise AccountingError(f"{other} says epsilon is at most {claimed.high:.6g}, {name} says it is at least {bound.low:.6g}: no epsilon is reported")
    for tight in ("pld", "prv"):
        if tight in found and "rdp" in found and found[tight].high > found["rdp"].high + SLACK + (ERROR if tight == "prv" else 0.0):
            raise AccountingError(f"{tight} says {found[tight].high:.6g}, above rdp's {found['rdp'].high:.6g}: no epsilon is reported")
    if "pld" in found and "prv" in found and found["pld"].high > found["prv"].high + SLACK:
        raise AccountingError(f"pld says {found['pld'].high:.6g}, above prv's upper bound {found['prv'].high:.6g}: no epsilon is reported")
