"""Renyi differential privacy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tasks.privacy.accountant import Accountant, Bound
from tasks.privacy.mechanism import Mechanism, as_event, relation


class Rdp(Accountant):
    """Renyi differential privacy (Mironov, CSF 2017; Mironov, Talwar and Zhang 2019), by dp-accounting: looser than pld."""

    name: ClassVar[str] = "rdp"
    library: ClassVar[str] = "dp-accounting"

    def unsupported(self, mechanism: Mechanism) -> str | None:
        """Replace-one only where every sample has a fixed size: elsewhere its Gaussian takes the noise over the whole sensitivity, twice the clip norm."""
        if mechanism.truncated:
            return "truncated batches are accounted by pld alone"
        if mechanism.fixed_size:
            return None if mechanism.adjacency == "replace-one" else "samples of fixed size are accounted between data sets of equal size alone (replace-one)"
        return "rdp does not account for replace-one" if mechanism.adjacency == "replace-one" else None

    def epsilon(self, mechanism: Mechanism, delta: float) -> Bound:
        """The bound. Zero-out changes a sum by the clip norm as add/remove does, and is sampled as it."""
        import logging

        from dp_accounting.rdp import RdpAccountant

        logging.getLogger("absl").setLevel(logging.ERROR)  # orders that do not converge are left out, which loses tightness alone
        accountant = RdpAccountant(neighboring_relation=relation("replace-one" if mechanism.fixed_size else "add-remove"))
        return Bound(float(accountant.compose(as_event(mechanism)).get_epsilon(delta)))


def compose_by_rdp(mechanisms: Mapping[Mechanism, int], delta: float) -> float:
    """Epsilon of several mechanisms one after the other, each as often as it is counted, searches or samples of fixed size among them."""
    from dp_accounting import ComposedDpEvent, SelfComposedDpEvent
    from dp_accounting.rdp import RdpAccountant

    event = ComposedDpEvent([SelfComposedDpEvent(as_event(mechanism), times) for mechanism, times in mechanisms.items()])
    fixed = any(mechanism.fixed_size for mechanism in mechanisms)
    return float(RdpAccountant(neighboring_relation=relation("replace-one" if fixed else "add-remove")).compose(event).get_epsilon(delta))
