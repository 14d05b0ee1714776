"""Privacy loss distributions."""

from __future__ import annotations

from typing import ClassVar

from tasks.privacy.accountant import Accountant, Bound, OutOfReach
from tasks.privacy.mechanism import Mechanism, as_event, relation

LEAST_DELTA = 1e-10
"""Below it what is cut off and rounded away weighs as much as delta itself, and the value is loose, at last infinite."""


class Pld(Accountant):
    """Privacy loss distributions, rounded pessimistically (Koskela et al. 2020; Doroshenko et al. 2022), by dp-accounting."""

    name: ClassVar[str] = "pld"
    library: ClassVar[str] = "dp-accounting"

    def unsupported(self, mechanism: Mechanism) -> str | None:
        """Everything but the repetition of a search, and samples of fixed size."""
        if mechanism.fixed_size:
            return "samples of fixed size are accounted by rdp alone"
        return "a search by random stopping is accounted by rdp alone" if mechanism.repetition is not None else None

    def epsilon(self, mechanism: Mechanism, delta: float) -> Bound:
        """The pessimistic estimate."""
        from dp_accounting.pld import PLDAccountant

        if delta < LEAST_DELTA:
            raise OutOfReach(f"pld works out no epsilon for a delta below {LEAST_DELTA:g} (got {delta:g}): raise privacy.delta, or write accountant: rdp")
        accountant = PLDAccountant(neighboring_relation=relation(mechanism.adjacency))
        return Bound(float(accountant.compose(as_event(mechanism)).get_epsilon(delta)))
