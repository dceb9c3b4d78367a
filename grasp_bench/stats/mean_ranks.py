"""Compare methods on several datasets by their ranks.

After J. Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006). The dataset
is the unit: D datasets, M methods, one score each, of which only the order counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.levels import ALPHA
from grasp_bench.stats.pairing import Values

LEAST_DATASETS = 5  # below, the tests have hardly any power, and chi-square is a poor approximation
LEAST_METHODS = 3  # for two methods Friedman's test is a sign test


@dataclass(frozen=True)
class Friedman:
    """Friedman's chi-square, and the F of Iman and Davenport; `f` is None if it is infinite."""

    chi_square: float
    p: float
    f: float | None
    p_f: float


@dataclass(frozen=True)
class RankTest:
    """The difference of two mean ranks in standard errors, and its two-sided p."""

    z: float
    p: float


def ranks(scores_DM: ArrayLike) -> Values:
    """Ranks of the methods on each dataset, (D, M): 1 is the highest score, equal scores share their mean."""
    from scipy import stats

    return np.asarray(stats.rankdata(-np.asarray(scores_DM, dtype=np.float64), axis=1), dtype=np.float64)


def friedman(ranks_DM: ArrayLike) -> Friedman:
    """Test that all methods have the same mean rank, corrected for ties (M. Friedman, JASA 1937).

    `p` is that of chi-square with M - 1 degrees of freedom, and decides here. F = (D - 1) chi² / (D (M - 1) -
    chi²) with M - 1 and (M - 1)(D - 1) degrees of freedom is less conservative (Iman & Davenport,
    Communications in Statistics 1980), but rejects slightly too often with few datasets.
    """
    from scipy import stats

    R_DM = np.asarray(ranks_DM, dtype=np.float64)
    datasets, methods = R_DM.shape
    if not np.ptp(R_DM):  # all methods tie on all datasets
        return Friedman(0.0, 1.0, 0.0, 1.0)
    chi_square = float(stats.friedmanchisquare(*R_DM.T).statistic)
    p = float(stats.chi2.sf(chi_square, methods - 1))
    left = datasets * (methods - 1) - chi_square
    if left < 1e-9 * chi_square:  # the same order on every dataset
        return Friedman(chi_square, p, None, 0.0)
    f = (datasets - 1) * chi_square / left
    return Friedman(chi_square, p, f, float(stats.f.sf(f, methods - 1, (methods - 1) * (datasets - 1))))


def least_p(datasets: int, methods: int) -> float:
    """The smallest possible p of Friedman's test: that of the same order on every dataset."""
    from scipy import stats

    return float(stats.chi2.sf(datasets * (methods - 1), methods - 1))


def standard_error(datasets: int, methods: int) -> float:
    """Standard error of a difference of two mean ranks if all methods are equal: √(M (M + 1) / 6D)."""
    return float(np.sqrt(methods * (methods + 1) / (6 * datasets)))


def critical_difference(datasets: int, methods: int, *, alpha: float = ALPHA) -> float:
    """Least significant difference of mean ranks by Nemenyi's test of all pairs (Demšar 2006, section 3.2.2).

    The quantile of the studentized range of M values with infinite degrees of freedom over √2, in standard
    errors. The chance of any false difference among the pairs is `alpha`.
    """
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(quantile * standard_error(datasets, methods))


def groups(mean_ranks: Sequence[float], difference: float) -> list[list[int]]:
    """Groups of methods that do not differ: the longest runs, best first, that span less than `difference`.

    Indices into `mean_ranks`. Runs may overlap, none lies within another, and each method is in at least one:
    alone if it differs from all others.
    """
    order = sorted(range(len(mean_ranks)), key=lambda index: mean_ranks[index])
    found: list[list[int]] = []
    reached = 0
    for start, first in enumerate(order):
        run = [index for index in order[start:] if mean_ranks[index] - mean_ranks[first] < difference]
        if start + len(run) > reached:
            found.append(run)
            reached = start + len(run)
    return found


def rank_test(first: float, second: float, datasets: int, methods: int) -> RankTest:
    """Compare two mean ranks among those of M methods by the normal distribution (Demšar 2006, 3.2.2).

    Several comparisons need a correction; for a pair chosen by its ranks, the correction counts all pairs.
    """
    from scipy import stats

    z = (first - second) / standard_error(datasets, methods)
    return RankTest(z, float(2 * stats.norm.sf(abs(z))))
