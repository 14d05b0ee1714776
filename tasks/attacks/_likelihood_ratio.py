"""The scores of LiRA and RMIA from what target and shadows say."""

from __future__ import annotations

import numpy as np

from tasks.attacks._shadowed import Floats, Shadows


def log_ratio(logit: Floats, shadows: Shadows, per_record: bool) -> Floats:
    """(N,) log density under the shadows with the record less that under those without it."""
    found = np.zeros_like(logit)
    for inside, sign in ((True, 1.0), (False, -1.0)):
        deviation = shadows.deviation(inside, per_record)
        found += sign * (-(((logit - shadows.mean(inside)) / deviation) ** 2) / 2 - np.log(deviation))
    return found


def standardised(logit: Floats, shadows: Shadows, per_record: bool) -> Floats:
    """(N,) how many deviations the logit lies above the mean of the shadows without the record."""
    return (logit - shadows.mean(False)) / shadows.deviation(False, per_record)


def log_relative(logit: Floats, shadows: Shadows, offline: bool, a: float) -> Floats:
    """(N,) log of p(x) / pbar(x): the target's probability of the right answer over its mean among models of the population.

    Online pbar is the mean of the means with and without the record. Offline it is ((1 + a) mean_out + (1 - a)) / 2, which guesses the missing half.
    """
    probabilities = Shadows(_probability(shadows.logit), shadows.inside)
    out = np.clip(probabilities.mean(False), 0.0, 1.0)
    mean = ((1 + a) * out + (1 - a)) / 2 if offline else (np.clip(probabilities.mean(True), 0.0, 1.0) + out) / 2
    return np.log(np.maximum(_probability(logit), np.finfo(float).tiny)) - np.log(np.maximum(mean, np.finfo(float).tiny))


def _probability(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -700, 700))))
