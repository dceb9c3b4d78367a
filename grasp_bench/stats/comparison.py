"""Everything that is said of one paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.bootstrap import mean_intervals
from grasp_bench.stats.correction import holm
from grasp_bench.stats.effect import cohens_dz, rank_biserial
from grasp_bench.stats.paired_tests import paired_t, wilcoxon
from grasp_bench.stats.pairing import paired_differences
from grasp_bench.stats.permutation import sign_flips

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """First method less second; differences in the unit of the metric, all tests two-sided.

    `p_permutation` is the p that is corrected and decided on: it tests the mean, which is what the
    board ranks by, and assumes neither normality nor symmetry of ranks. The t-test (the paper's)
    and Wilcoxon's stand beside it. `gained` and `lost` count users who differ, out of `n`.
    """

    n: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    cohens_dz: float | None
    rank_biserial: float
    p_t: float
    p_wilcoxon: float
    p_permutation: float


def compare(first: ArrayLike, second: ArrayLike) -> Comparison:
    """Compare two methods by their per-user values, shape (users,), in the same order of users.

    Raises IncomparableError for different lengths, DataError for no users, NaN or infinity.
    """
    (comparison,) = compare_all([(first, second)])
    return comparison


def compare_all(pairs: Sequence[tuple[ArrayLike, ArrayLike]]) -> list[Comparison]:
    """Compare each pair; what is drawn at random is drawn once for many. Raises as `compare`."""
    differences = [paired_differences(first, second) for first, second in pairs]
    return [
        Comparison(
            n=d.size,
            gained=int(np.count_nonzero(d > 0)),
            lost=int(np.count_nonzero(d < 0)),
            difference=float(d.mean()),
            low=interval.low,
            high=interval.high,
            cohens_dz=cohens_dz(d),
            rank_biserial=rank_biserial(d),
            p_t=paired_t(d),
            p_wilcoxon=wilcoxon(d),
            p_permutation=p_permutation,
        )
        for d, interval, p_permutation in zip(
            differences, mean_intervals(differences), sign_flips(differences), strict=True
        )
    ]


def top_tier(p_against_best: Sequence[float], *, alpha: float = ALPHA) -> list[bool]:
    """Which methods are not distinguishable from the best, given their raw p against it.

    All methods of the ranking form one family, corrected by Holm: a method leaves the tier when its
    corrected p is below `alpha`. The walk from the best does not stop at the first that leaves: a
    method further down may vary so much that nothing is known of it.
    """
    return [p >= alpha for p in holm(p_against_best)]
