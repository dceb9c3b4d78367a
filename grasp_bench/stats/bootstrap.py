"""Percentile bootstrap of mean paired differences, and of a median (Efron & Tibshirani 1993, ch. 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.pairing import Values, by_size, checked

RESAMPLES = 4_999
LEVEL = 0.95
SEED = 20_251_121
SHARED_FROM = 16  # so many means over the same users are taken of the same resamples
_DRAWS_AT_ONCE = 1 << 20
_RESAMPLES_AT_ONCE = 64  # rows of a matrix product
_VALUES_AT_ONCE = 1 << 24  # 128 MiB


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


def mean_intervals(differences_PU: Sequence[ArrayLike], *, level: float = LEVEL) -> list[Interval]:
    """The `mean_interval` of each of P arrays of differences, (users,) each.

    From `SHARED_FROM` arrays over equally many users on, the same resamples serve all: how often each user
    was drawn times the differences is one matrix product. Each interval by itself is distributed as before.
    """
    checked_PU = [checked(differences) for differences in differences_PU]
    intervals: dict[int, Interval] = {}
    for places in by_size(checked_PU):
        if len(places) < SHARED_FROM:
            intervals |= {place: mean_interval(checked_PU[place], level=level) for place in places}
        else:
            shared = _shared_intervals([checked_PU[place] for place in places], level)
            intervals |= dict(zip(places, shared, strict=True))
    return [intervals[place] for place in range(len(checked_PU))]


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


def _shared_intervals(differences_PU: Sequence[Values], level: float) -> list[Interval]:
    at_once = max(1, _VALUES_AT_ONCE // differences_PU[0].size)
    found: list[Interval] = []
    for start in range(0, len(differences_PU), at_once):
        values_UP = np.stack(differences_PU[start : start + at_once], axis=1)
        means_RP = _shared_means(values_UP, RESAMPLES, np.random.default_rng(SEED))
        lows, highs = np.quantile(means_RP, [(1 - level) / 2, (1 + level) / 2], axis=0)
        alike = np.ptp(values_UP, axis=0) == 0  # an interval without width, not one of roundings
        for low, high, constant, first in zip(lows, highs, alike, values_UP[0], strict=True):
            found.append(
                Interval(float(first), float(first)) if constant else Interval(float(low), float(high))
            )
    return found


def _shared_means(values_UP: Values, resamples: int, rng: np.random.Generator) -> Values:
    """Means of every column over the same `resamples` draws of all users with replacement, (resamples, P)."""
    users = len(values_UP)
    drawn_RU = np.empty((_RESAMPLES_AT_ONCE, users))
    means = []
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        rows = drawn_RU[: resamples - start]
        for row in rows:
            row[:] = np.bincount(rng.integers(0, users, users), minlength=users)
        means.append(rows @ values_UP / users)
    return np.concatenate(means)


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
