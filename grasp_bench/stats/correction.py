"""Correct p-values of many tests, and share alpha among several looks at growing data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.core.errors import DataError
from grasp_bench.stats.pairing import Values


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the chance of one false claim in the family (Holm 1979).

    In the given order. The smallest is multiplied by m, the next by m - 1, …, made monotone and cut at 1. A
    hypothesis that could not be tested belongs in the family with p = 1.
    """
    p = _probabilities(p_values)
    order = np.argsort(p, kind="stable")
    factors = np.arange(p.size, 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return _in_given_order(adjusted, order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the expected share of false claims (Benjamini & Hochberg 1995)."""
    p = _probabilities(p_values)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    # From the largest down: an adjusted p may not exceed that of a larger raw p.
    adjusted = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return _in_given_order(adjusted, order)


def of_known(
    correct: Callable[[Sequence[float]], list[float]], p_values: Sequence[float | None]
) -> list[float | None]:
    """Adjust the known p-values, which form the family; None stays None."""
    adjusted = iter(correct([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _in_given_order(adjusted: Values, order: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> list[float]:
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return [float(value) for value in result]


def _probabilities(p_values: ArrayLike) -> Values:
    p = np.asarray(p_values, dtype=np.float64)
    if not bool(np.all((p >= 0) & (p <= 1))):  # False for NaN, too
        raise DataError(f"p-values must lie in [0, 1], got {p.tolist()}")
    return p


def looks_at(least: int, most: int) -> tuple[int, ...]:
    """Trainings of a method at each look: `least`, then half as many more each time, and finally `most`.

    >>> looks_at(3, 12)
    (3, 5, 8, 12)
    """
    if not 1 <= least <= most:
        raise DataError(f"looks go from least to most trainings: not from {least} to {most}")
    looks = [least]
    while looks[-1] < most:
        looks.append(min(most, looks[-1] + (looks[-1] + 1) // 2))
    return tuple(looks)


def shares(looks: Sequence[int]) -> tuple[float, ...]:
    """Share of alpha that each look may spend: its new trainings over all trainings; the sum is 1.

    Stopping at the first significant p among several looks rejects too often. Each look therefore gets its
    share of alpha beforehand (Lan and DeMets, Biometrika 1983; in proportion to the trainings, Kim and
    DeMets, Biometrika 1987). By Bonferroni's inequality the error over all looks stays below alpha, however
    the looks depend on each other through shared users and earlier trainings.
    """
    return tuple((later - earlier) / looks[-1] for earlier, later in pairwise((0, *looks)))
