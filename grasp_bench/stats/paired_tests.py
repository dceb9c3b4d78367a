"""Two-sided tests of "the mean paired difference is zero" on differences of shape (users,).

All tests give p = 1 when no user differs, whatever n; none ever gives NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.pairing import checked


def paired_t(differences: ArrayLike) -> float:
    """p of Student's paired t-test, the test of the paper.

    One user alone tells nothing: p = 1. Several users with one and the same non-zero difference
    have no spread, t is infinite and p = 0 (the permutation test stays sober there).
    """
    d = checked(differences)
    if d.size < 2 or not d.any():
        return 1.0
    if np.ptp(d) == 0:
        return 0.0
    from scipy import stats

    return float(stats.ttest_1samp(d, 0.0).pvalue)


def wilcoxon(differences: ArrayLike) -> float:
    """p of Wilcoxon's signed-rank test; users without a difference are dropped (Wilcoxon's own way).

    Exact up to 50 differing users without ties in size, the normal approximation with tie correction
    otherwise (scipy's `method="auto"`). It asks for a shift of the median difference: with many small
    losses and few large gains it may disagree with the tests of the mean, which is why it is shown.
    """
    d = checked(differences)
    d = d[d != 0]
    if d.size == 0:
        return 1.0
    if d.size == 1:
        return 1.0  # the exact two-sided p: both signs are as extreme
    from scipy import stats

    return float(stats.wilcoxon(d, zero_method="wilcox", method="auto").pvalue)
