"""Percentile bootstrap of a mean difference, a median and a ratio of means (Efron & Tibshirani 1993)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.levels import TAILS
from grasp_bench.stats.pairing import Values, checked

RESAMPLES = 4_999
SEED = 20_251_121
_DRAWS_AT_ONCE = 1 << 20

RATIO_RESAMPLES = 999  # enough for two digits


@dataclass(frozen=True)
class Interval:
    """A confidence interval in the unit of the metric."""

    low: float
    high: float


def _middle(estimates: Values) -> Interval:
    """Interval between the quantiles of the resampled estimates."""
    low, high = np.quantile(estimates, TAILS)
    return Interval(float(low), float(high))


def mean_interval(differences: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED) -> Interval:
    """Interval of the mean difference over resampled users; the same seed gives the same interval.

    One user, or equal differences, give an interval without width.
    """
    d = checked(differences)
    if np.ptp(d) == 0:
        return Interval(float(d[0]), float(d[0]))
    means = _resampled_sums(d, resamples, np.random.default_rng(seed)) / d.size
    return _middle(means)


def median_interval(values: ArrayLike, *, resamples: int = RESAMPLES, seed: int = SEED) -> Interval:
    """Interval of the median over resampled values; the same seed gives the same interval.

    The median of n draws is one of the values, or between two, so only ranks are drawn.
    """
    ordered = np.sort(checked(values))
    rng = np.random.default_rng(seed)
    n, medians = ordered.size, []
    for start in range(0, resamples, step := max(1, _DRAWS_AT_ONCE // n)):
        ranks = rng.integers(0, n, (min(step, resamples - start), n), dtype=np.int32)
        medians.append(np.median(ordered[ranks], axis=1))
    return _middle(np.concatenate(medians))


def _resampled_sums(d: Values, resamples: int, rng: np.random.Generator) -> Values:
    """Sums of `resamples` draws of all users with replacement, (resamples,).

    Users without a difference add nothing, so a binomial number says how many draws fall on the others, and
    only those are made. The distribution is the same.
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
    # A leading zero makes each boundary a lookup in the running sum, also for resamples without a draw.
    running = np.zeros(places.size + 1)
    # numpy's `take` is faster with intp indices and without a bounds check.
    values.take(places.astype(np.intp), out=running[1:], mode="clip")
    np.cumsum(running, out=running)
    return np.diff(running[np.concatenate([[0], np.cumsum(draws)])])


def ratio_of_means(numerators: ArrayLike, denominators: ArrayLike) -> float | None:
    """mean(numerators) / mean(denominators); None if the latter is zero."""
    top, bottom = checked(numerators), checked(denominators)
    return float(top.mean() / bottom.mean()) if bottom.mean() else None


def ratio_interval(
    numerators: ArrayLike,
    denominators: ArrayLike,
    *,
    resamples: int = RATIO_RESAMPLES,
    seed: int = SEED,
) -> Interval | None:
    """Interval of the ratio over resampled units; None if a resample's denominator is zero.

    Both values of a unit are drawn together (section 10.3), so that the interval reflects their correlation.
    """
    top, bottom = checked(numerators), checked(denominators)
    rng = np.random.default_rng(seed)
    tops, bottoms = np.empty(resamples), np.empty(resamples)
    for k in range(resamples):
        drawn = rng.integers(0, len(top), len(top), dtype=np.int32)
        tops[k], bottoms[k] = top.take(drawn).mean(), bottom.take(drawn).mean()
    if not (bottoms > 0).all():
        return None
    return _middle(tops / bottoms)
