"""Effect sizes of paired differences: how large, where p only says how sure."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.pairing import checked


def cohens_dz(differences: ArrayLike) -> float | None:
    """Mean difference over the standard deviation (n - 1) of differences (Cohen 1988; Lakens 2013).

    0 when no user differs. None where it is not defined: one user, or no spread at all.
    """
    d = checked(differences)
    if not d.any():
        return 0.0
    if d.size < 2 or np.ptp(d) == 0:
        return None
    return float(d.mean() / d.std(ddof=1))


def rank_biserial(differences: ArrayLike) -> float:
    """Matched-pairs rank-biserial correlation, in [-1, 1] (Kerby 2014).

    The share of Wilcoxon's rank sum that is for the first method less the share against it; users
    without a difference are dropped, as in the test. 0 when no user differs.
    """
    d = checked(differences)
    d = d[d != 0]
    if d.size == 0:
        return 0.0
    from scipy import stats

    ranks = stats.rankdata(np.abs(d))
    return float((ranks * np.sign(d)).sum() / ranks.sum())


def superiority(first_SU: ArrayLike, second_SU: ArrayLike) -> float:
    """Probability that the first method gives a user more than the second, ties counting half.

    Over all users and all pairs of a training of each, (S, U) and (R, U): the mean for a fresh training of
    both and a fresh user (Bouthillier et al., MLSys 2021, there over trainings alone).
    """
    first, second = np.asarray(first_SU, dtype=float), np.asarray(second_SU, dtype=float)
    halves = sum(
        np.count_nonzero(row > other) + np.count_nonzero(row >= other) for row in first for other in second
    )
    return float(halves) / (2 * len(first) * second.size)
