"""Exposure of canaries: ranks among all candidates, or what a sample of them says of ranks."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from tasks.attacks._candidates import Floats, Hunted
from tasks.core.seeds import numpy_generator

FEWEST_BELOW = 20
"""Sampled candidates below a secret from which its rank is counted; with fewer it is read off a fitted curve."""


def exact(hunted: Hunted, report: Any) -> list[float]:
    """Bits by canary, from every candidate."""
    every = hunted.every_secret()
    place = {secret: index for index, secret in enumerate(every)}
    found = []
    for number, (canary, secret) in enumerate(zip(hunted.canaries, hunted.secrets, strict=True)):
        losses = hunted.losses(canary, every, partial(_progress, report, number, len(hunted.canaries)))
        found.append(math.log2(len(every)) - math.log2(rank(losses, place[secret])))
    return found


def rank(losses: Floats, place: int) -> float:
    """From 1, by loss; candidates that lose the same share their mean rank, so that a model that knows nothing gives nothing away."""
    own = losses[place]
    return float(np.sum(losses < own) + (np.sum(losses == own) + 1) / 2)


def estimated(hunted: Hunted, sample: int, seed: int, report: Any) -> list[float]:
    """Bits by canary, from candidates drawn at random and the secret: counted, or by extrapolation where hardly any is below it."""
    found = []
    for number, (canary, secret) in enumerate(zip(hunted.canaries, hunted.secrets, strict=True)):
        draw = numpy_generator(seed, "exposure", entity=number)
        places = draw.integers(len(hunted.block.alphabet), size=(sample, hunted.block.length))
        drawn = [tuple(hunted.block.alphabet[place] for place in row) for row in places]
        losses = hunted.losses(canary, [secret, *drawn], partial(_progress, report, number, len(hunted.canaries)))
        found.append(bits_of(float(losses[0]), losses[1:], hunted.block.candidates))
    return found


def bits_of(own: float, losses: Floats, candidates: int) -> float:
    """-log2 of the share of candidates that lose at most as much as the secret, between 0 and the log of their number.

    With few below it, by the distribution function of a skew normal fit to the sample, as Carlini et al. extrapolate.
    """
    below = float(np.sum(losses < own) + np.sum(losses == own) / 2)
    counted = below >= FEWEST_BELOW or np.ptp(losses) == 0
    share = below / len(losses) if counted else float(stats.skewnorm.cdf(own, *stats.skewnorm.fit(losses)))
    return min(math.log2(candidates), max(0.0, -math.log2(max(share, 0.5 / candidates))))


def _progress(report: Any, number: int, count: int, done: float, total: float) -> None:
    report.progress(number + done / total, count, "asking about candidates")
