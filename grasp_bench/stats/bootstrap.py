"""Percentile bootstrap of mean paired differences, and of a median (Efron & Tibshirani 1993, ch. 13)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.levels import LEVEL
from grasp_bench.stats.pairing import Values, checked

RESAMPLES = 4_999
SEED = 20_251_121
_DRAWS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Interval:
    """A confidence interval in the unit of the metric."""

    low: float
    high: float


def mean_interval(
    differences: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """Interval of the mean difference when users are redrawn; same seed, same interval.

    One user, or users who all differ alike, give an interval without width: redrawing cannot show
    a spread that the data do not have.
    """
    d = checked(differences)
    if np.ptp(d) == 0:
        return Interval(float(d[0]), float(d[0]))
    means = _resampled_sums(d, resamples, np.random.default_rng(seed)) / d.size
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def median_interval(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """Interval of the median when values are redrawn; same seed, same interval.

    The median of n draws is one of the values (or between two), so only their ranks are drawn.
    """
    ordered = np.sort(checked(values))
    rng = np.random.default_rng(seed)
    n, medians = ordered.size, []
    for start in range(0, resamples, step := max(1, _DRAWS_AT_ONCE // n)):
        ranks = rng.integers(0, n, (min(step, resamples - start), n), dtype=np.int32)
        medians.append(np.median(ordered[ranks], axis=1))
    low, high = np.quantile(np.concatenate(medians), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _resampled_sums(d: Values, resamples: int, rng: np.random.Generator) -> Values:
    """Sums of `resamples` draws of all users with replacement, shape (resamples,).

    Most users have no difference and add nothing: how often they are drawn is one binomial number a
    resample, and only the draws that fall on the others are made. The distribution is the same.
    """
    differing = d[d != 0]
    draws = rng.binomial(d.size, differing.size / d.size, size=resamples)
    step = max(1, _DRAWS_AT_ONCE // max(1, differing.size))
    sums = [_sums_of(differing, draws[start : start + step], rng) for start in range(0, resamples, step)]
    return np.concatenate(sums)


def _sums_of(
    values: Values, draws: np.ndarray[tuple[int, ...], np.dtype[np.int64]], rng: np.random.Generator
) -> Values:
    places = rng.integers(0, values.size, size=int(draws.sum()), dtype=np.int32)
    # A leading zero makes the running sum at every boundary a lookup, also for resamples of no draw.
    running = np.zeros(places.size + 1)
    # numpy takes faster by its own kind of index, and without a check of what cannot be out of bounds.
    values.take(places.astype(np.intp), out=running[1:], mode="clip")
    np.cumsum(running, out=running)
    return np.diff(running[np.concatenate([[0], np.cumsum(draws)])])
