"""Privacy random variables."""

from __future__ import annotations

from typing import ClassVar

from tasks.privacy.accountant import Accountant, Bound
from tasks.privacy.mechanism import Mechanism

LARGEST = 10.0
ERROR = 0.01
"""How far the upper bound lies above the estimate."""


class Prv(Accountant):
    """Privacy random variables with certified bounds on both sides (Gopi, Lee and Wutschitz, NeurIPS 2021), by prv-accountant."""

    name: ClassVar[str] = "prv"
    library: ClassVar[str] = "prv-accountant"

    def unsupported(self, mechanism: Mechanism) -> str | None:
        """Plain Poisson sampling alone."""
        if mechanism.adjacency == "replace-one":
            return "prv does not account for replace-one"
        return None if mechanism.plain_poisson else "prv accounts for plain Poisson sampling alone"

    def epsilon(self, mechanism: Mechanism, delta: float) -> Bound:
        """Both bounds. Epsilons beyond 10 are out of its reach (it raises, or runs out of memory)."""
        from prv_accountant import PoissonSubsampledGaussianMechanism, PRVAccountant

        (release,) = mechanism.releases
        sampled = PoissonSubsampledGaussianMechanism(sampling_probability=release.rate, noise_multiplier=release.noise_multiplier)
        accountant = PRVAccountant(prvs=[sampled], max_self_compositions=[release.count], eps_error=ERROR, delta_error=delta / 1000)
        low, _, high = accountant.compute_epsilon(delta, [release.count])
        return Bound(float(high), float(low))
