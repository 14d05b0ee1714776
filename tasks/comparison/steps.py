"""The reduction at the end of a study: from the trials' numbers to the comparison and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.comparison.compare import compare
from tasks.comparison.comparison import Comparison
from tasks.comparison.continuations import continuations
from tasks.comparison.files import write_files
from tasks.comparison.results import StudyFacts, TrialResult


def reduce_comparison(facts: StudyFacts, trials: Sequence[TrialResult], folder: Path) -> Comparison:
    """Compare the trials and write the files of the comparison into a folder."""
    comparison = compare(facts, trials)
    write_comparison(comparison, facts, trials, folder)
    return comparison


def write_comparison(comparison: Comparison, facts: StudyFacts, trials: Sequence[TrialResult], folder: Path) -> None:
    """Write the files of a comparison into a folder."""
    write_files(comparison, folder, continuations(facts, trials))
