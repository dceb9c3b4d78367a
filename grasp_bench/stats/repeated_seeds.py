"""Intervals for means that share their seeds: which points of a curve differ, not where the curve lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.core.errors import DataError
from grasp_bench.stats.levels import LEVEL


def half_width(values_PS: ArrayLike, *, level: float = LEVEL) -> float | None:
    """Half the width of the interval of each point's mean over seeds, the same for all P points.

    `values_PS` is (P, S), the value of each point with each seed. What a seed adds to all points alike is
    taken out, and the rest is pooled over the points, so that two seeds at each of several points do say
    something of chance (Loftus and Masson, Psychonomic Bulletin & Review 1994, equation 2). None for a
    single point or a single seed. Raises DataError when a value is missing or not finite.
    """
    values = np.asarray(values_PS, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError("the interval of a curve needs a finite value of every point with every seed")
    points, seeds = values.shape
    freedom = (points - 1) * (seeds - 1)
    if not freedom:
        return None
    from scipy import stats

    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    error = float((rest**2).sum()) / freedom
    return float(stats.t.ppf((1 + level) / 2, freedom)) * float(np.sqrt(error / seeds))
