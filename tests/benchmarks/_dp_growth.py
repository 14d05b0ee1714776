"""How the time of a private step over a plain one grows with the length of texts, the batch and the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks._dp_cases import BERT, Case

MODEL = replace(BERT, block={**BERT.block, "layers": 2, "hidden_size": 128}, engines=("opacus-hooks", "opacus-ghost", "micro-batch", "book-keeping"))
BATCH, LENGTH, VOCABULARY = 8, 64, 8192
LENGTHS, BATCHES, VOCABULARIES = (64, 128, 256, 512, 1024), (8, 16, 32, 64, 128), (8192, 16_384, 32_768, 50_000)
HELD = 2 * 2**30
"""Hooks hold a gradient per example: beyond so many bytes of them they are left out."""
WEIGHTS_PER_WORD, OTHER_WEIGHTS = 128, 600_000


@dataclass(frozen=True)
class Curve:
    """Ratios to a plain step of one engine, by size."""

    by: str
    engine: str
    points: tuple[tuple[int, float], ...]


def grown(ratios: Callable[[Case], Mapping[str, float]]) -> list[Curve]:
    """All curves; ``ratios`` measures a case."""
    sweeps = {
        "length": [(length, MODEL.resized(BATCH, length, VOCABULARY)) for length in LENGTHS],
        "batch": [(batch, MODEL.resized(batch, LENGTH, VOCABULARY)) for batch in BATCHES],
        "vocabulary": [(words, MODEL.resized(BATCH * 2, LENGTH, words)) for words in VOCABULARIES],
    }
    found: list[Curve] = []
    for by, cases in sweeps.items():
        measured = [(size, ratios(_within(case))) for size, case in cases]
        found += [Curve(by, engine, tuple((size, told[engine]) for size, told in measured if engine in told)) for engine in MODEL.engines]
    return found


def _within(case: Case) -> Case:
    """Without hooks where they would need too much memory."""
    weights = WEIGHTS_PER_WORD * int(case.block["tokenizer"]["buckets"]) + OTHER_WEIGHTS
    return replace(case, engines=tuple(engine for engine in case.engines if engine != "opacus-hooks" or 4 * case.batch * weights <= HELD))


def left_out(curves: list[Curve]) -> str:
    """What was not measured, and why; empty where everything was."""
    measured = {(curve.by, curve.engine): {size for size, _ in curve.points} for curve in curves}
    told = []
    for (by, engine), sizes in measured.items():
        missing = sorted(set().union(*(own for (other, _), own in measured.items() if other == by)) - sizes)
        if missing:
            told.append(f"{engine} at {by} {', '.join(f'{size:,}' for size in missing)}")
    return f"Not measured, for a gradient per example would take more than {HELD / 2**30:g} GiB: {'; '.join(told)}." if told else ""


def plotted(curves: list[Curve], path: Path) -> None:
    """Three panels, one for each size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    labels = {
        "length": f"tokens of a text (batch {BATCH}, vocabulary {VOCABULARY:,})",
        "batch": f"texts of a batch ({LENGTH} tokens, vocabulary {VOCABULARY:,})",
        "vocabulary": f"words of the vocabulary (batch {2 * BATCH}, {LENGTH} tokens)",
    }
    figure, panels = plt.subplots(1, 3, figsize=(13, 4), sharey=True)
    for panel, (by, label) in zip(panels, labels.items(), strict=True):
        for curve in curves:
            if curve.by == by:
                panel.plot([size for size, _ in curve.points], [value for _, value in curve.points], marker="o", label=curve.engine)
        panel.axhline(1, color="grey", linewidth=0.8)
        panel.set_xscale("log", base=2)
        ticks = sorted({size for curve in curves if curve.by == by for size, _ in curve.points})
        panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        panel.set_xlabel(label)
    panels[0].set_ylabel("time of a step, in plain steps")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(title="BERT 2x128, two cores")
    note = left_out(curves)
    figure.tight_layout(rect=(0, 0.06 if note else 0, 1, 1))
    figure.text(0.01, 0.02, note, fontsize=8)
    figure.savefig(path, dpi=110)
