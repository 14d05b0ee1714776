"""The reduction at the end of a study: from the trials' numbers to the comparison and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.continuations import continuations
from tasks.comparison.files import write_files
from tasks.comparison.results import StudyFacts, TrialResult


def reduce_comparison(
    facts: StudyFacts, trials: Sequence[TrialResult], folder: Path, concluded: Callable[[Comparison], Comparison] | None = None
) -> Comparison:
    """Compare the trials and write the files of the comparison into a folder. ``concluded``: what is added to it before."""
    comparison = compare(facts, trials)
    if concluded is not None:
        comparison = concluded(comparison)
    write_files(comparison, folder, continuations(facts, trials))
    return comparison
