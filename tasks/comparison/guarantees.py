"""What is said beside the guarantees of the arms: that of the whole study, and what a simulated one is."""

from __future__ import annotations

from tasks.comparison.comparison import Comparison

NONE, SIMULATED = "none", "simulated"
SIMULATED_NOTE = (
    "simulated: noise and sampling follow from the seed, which is not secret, so the numbers show what the mechanism does and protect nobody; "
    "randomness: secret makes it a guarantee"
)


def guarantee_notes(comparison: Comparison) -> list[str]:
    """One sentence on what all private trainings spend together, one on each population's lifetime, and one on simulated guarantees, where there are any."""
    study = comparison.study_privacy
    simulated = any(guarantee.startswith(SIMULATED) for guarantee in comparison.guarantees.values())
    lifetimes = [lifetime.sentence for lifetime in comparison.lifetimes]
    return [*([study.sentence] if study is not None else []), *lifetimes, *([SIMULATED_NOTE] if simulated else [])]
