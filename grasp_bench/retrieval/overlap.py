"""How alike two neighbour tables of the same entities are: sets by Jaccard, rankings by rank-biased overlap.

With X_d the number of neighbours that two lists have in common among their first d, and lists of length k,

    Jaccard@k = X_k / (2k - X_k)
    RBO_ext   = X_k/k · p^k + (1-p)/p · Σ_{d=1..k} X_d/d · p^d

which is equation 32 of Webber, Moffat & Zobel ("A similarity measure for indefinite rankings", TOIS 28(4),
2010) for lists of one length: the agreement seen at depth k is assumed to go on below it. Both are 1 for
equal lists and 0 for disjoint ones. `p` is the chance of reading on: at p = 0.9 the first ten ranks weigh
86 % (their equation 21).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError

PERSISTENCE = 0.9
ROWS_AT_ONCE = 4096

Floats = NDArray[np.float64]


def common_at_depths(first: np.ndarray, second: np.ndarray) -> NDArray[np.int64]:
    """X_d for d = 1..k, (n, k): neighbours in common among the first d of each row.

    Tables are (n, N) and (n, M), compared to the smaller width k; no entity comes twice in a row, -1 is
    nobody and in common with none.
    """
    if len(first) != len(second):
        raise DataError(f"neighbour tables of {len(first)} and {len(second)} entities cannot be compared")
    k = min(first.shape[1], second.shape[1])
    common = np.empty((len(first), k), dtype=np.int64)
    for start in range(0, len(first), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        a, b = first[rows, :k, None], second[rows, None, :k]
        # A pair of equal neighbours at ranks r and s is in common from depth max(r, s) on.
        row, r, s = np.nonzero((a == b) & (a >= 0))
        met = np.zeros((len(a), k), dtype=np.int64)
        np.add.at(met, (row, np.maximum(r, s)), 1)
        common[rows] = met.cumsum(axis=1)
    return common


def jaccard(common: NDArray[np.int64]) -> Floats:
    """Jaccard coefficient at full depth, (n,), of `common_at_depths`."""
    k = common.shape[1]
    shared = common[:, -1]
    return np.asarray(shared / (2 * k - shared))


def rank_biased_overlap(common: NDArray[np.int64], p: float = PERSISTENCE) -> Floats:
    """Extrapolated rank-biased overlap, (n,), of `common_at_depths`; 0 < p < 1."""
    if not 0 < p < 1:
        raise DataError(f"rank-biased overlap: p is {p:g}", mend="choose p between 0 and 1, such as 0.9")
    k = common.shape[1]
    depth = np.arange(1, k + 1)
    agreed = common / depth
    return np.asarray(agreed[:, -1] * p**k + (1 - p) / p * (agreed * p**depth).sum(axis=1))
