"""Privacy random variables."""

from __future__ import annotations

from typing import ClassVar

from tasks.privacy.accountant import Accountant, Bound, OutOfReach
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
        """Both bounds, never negative. Epsilons beyond 10 are out of its reach (it raises, or runs out of memory)."""
        import warnings

        from prv_accountant import PoissonSubsampledGaussianMechanism, PRVAccountant
        from scipy.integrate import IntegrationWarning

        (release,) = mechanism.releases
        sampled = PoissonSubsampledGaussianMechanism(sampling_probability=release.rate, noise_multiplier=release.noise_multiplier)
        try:
            with warnings.catch_warnings():
                for doubt in (IntegrationWarning, RuntimeWarning):  # an integral that may be wrong certifies nothing
                    warnings.simplefilter("error", doubt)
                accountant = PRVAccountant(prvs=[sampled], max_self_compositions=[release.count], eps_error=ERROR, delta_error=delta / 1000)
                low, _, high = accountant.compute_epsilon(delta, [release.count])
        except (ValueError, RuntimeError, MemoryError, IntegrationWarning, RuntimeWarning) as error:
            raise OutOfReach(f"prv works out no epsilon at delta {delta:g} here ({error}): write accountant: pld") from error
        return Bound(max(0.0, float(high)), max(0.0, float(low)))
