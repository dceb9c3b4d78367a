"""Describe a neighbour table by its hubs, and compare two tables by Jaccard and rank-biased overlap.

With X_d the number of neighbours that two lists share among their first d, and lists of length k,

    Jaccard@k = X_k / (2k - X_k)
    RBO_ext   = X_k/k · p^k + (1-p)/p · Σ_{d=1..k} X_d/d · p^d

which is equation 32 of Webber, Moffat & Zobel ("A similarity measure for indefinite rankings", TOIS 28(4),
2010) for lists of one length: it assumes that the agreement at depth k continues below. Both are 1 for equal
lists and 0 for disjoint ones. `p` is the chance of reading on: at p = 0.9 the first ten ranks weigh 86 %
(their equation 21).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError

HUBS = 0.01  # share of entities that count as hubs
SAME = 0.9999  # cosine from which no method can distinguish two vectors (bfloat16 has three digits)

PERSISTENCE = 0.9
ROWS_AT_ONCE = 4096

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hubness:
    """How evenly entities occur in an (n, N) neighbour table.

    `top_share`: share of all places that the most frequent 1 % of entities take; `never`: share of entities
    that are nobody's neighbour; `skewness` of the occurrences, the measure of Radovanović et al. ("Hubs in
    space", JMLR 11, 2010): 0 for even tables, strong above 1.4. `most` is the most frequent (entity, times).
    `clones`: share of entities whose nearest neighbour has the same vector.
    """

    top_share: float
    never: float
    skewness: float
    most: tuple[int, int]
    clones: float


def hubness(indices: np.ndarray, similarities: np.ndarray) -> Hubness | None:
    """Count the occurrences in a neighbour table, (n, N) each, -1 for nobody; None when it is empty."""
    real = indices >= 0
    if not real.any():
        return None
    times = np.bincount(indices[real], minlength=len(indices))
    top = max(round(HUBS * len(times)), 1)
    spread = times.std()
    return Hubness(
        top_share=float(np.sort(times)[-top:].sum() / times.sum()),
        never=float((times == 0).mean()),
        skewness=float(((times - times.mean()) ** 3).mean() / spread**3) if spread else 0.0,
        most=(int(times.argmax()), int(times.max())),
        clones=float((real[:, 0] & (similarities[:, 0] >= SAME)).mean()),
    )


def common_at_depths(first: np.ndarray, second: np.ndarray) -> NDArray[np.int64]:
    """X_d for d = 1..k, (n, k): neighbours in common among the first d of each row.

    Tables are (n, N) and (n, M), compared up to the smaller width k; a row names no entity twice, and -1
    (nobody) is never in common.
    """
    if len(first) != len(second):
        raise DataError(f"neighbour tables of {len(first)} and {len(second)} entities cannot be compared")
    k = min(first.shape[1], second.shape[1])
    common = np.empty((len(first), k), dtype=np.int64)
    for start in range(0, len(first), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        a, b = first[rows, :k, None], second[rows, None, :k]
        # Equal neighbours at ranks r and s are in common from depth max(r, s) on.
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
        raise DataError(f"rank-biased overlap: p is {p:g}", hint="choose p between 0 and 1, such as 0.9")
    k = common.shape[1]
    depth = np.arange(1, k + 1)
    agreed = common / depth
    return np.asarray(agreed[:, -1] * p**k + (1 - p) / p * (agreed * p**depth).sum(axis=1))
