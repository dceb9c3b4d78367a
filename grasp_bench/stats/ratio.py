"""Ratio of two means over the same units, with a percentile bootstrap interval.

Units are redrawn together with both their values (Efron & Tibshirani 1993, section 10.3), so that the
interval honours their correlation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.bootstrap import SEED, Interval
from grasp_bench.stats.levels import LEVEL
from grasp_bench.stats.pairing import Values, checked

RESAMPLES = 999  # a ratio's interval is read to two digits


def ratio_of_means(numerators: ArrayLike, denominators: ArrayLike) -> float | None:
    """mean(numerators) / mean(denominators); None where the latter is zero."""
    top, bottom = checked(numerators), checked(denominators)
    return float(top.mean() / bottom.mean()) if bottom.mean() else None


def ratio_interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Interval of the ratio when units are redrawn; None where a resample's denominator is zero."""
    top, bottom = checked(numerators), checked(denominators)
    rng = np.random.default_rng(seed)
    tops, bottoms = np.empty(resamples), np.empty(resamples)
    for k in range(resamples):
        drawn = rng.integers(0, len(top), len(top), dtype=np.int32)
        tops[k], bottoms[k] = _mean(top, drawn), _mean(bottom, drawn)
    if not (bottoms > 0).all():
        return None
    low, high = np.quantile(tops / bottoms, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _mean(values: Values, drawn: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> float:
    return float(values.take(drawn).mean())
