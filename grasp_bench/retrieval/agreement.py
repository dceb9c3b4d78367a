"""Measure attributes that neighbours share, the hubs of a neighbour table, and the overlap of two tables.

Two items may share a buyer, two users an item; a brand or a category serves as well. Neighbours are compared
with random partners, drawn uniformly and drawn with the popularity of the neighbours: popular entities share
attributes with anybody, and embeddings may only have found the popular ones.

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
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted
from grasp_bench.core.errors import DataError

WINDOW = 0.005  # share of entities on each side, in order of popularity, that matched partners come from
AT_LEAST = 10  # entities on each side, for small catalogues
ATTRIBUTES_AT_ONCE = 1 << 20  # of all pairs that are looked at together: some 60 bytes each

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Attributes:
    """The attributes (buyers, items, brands) of n entities, as numbers below `num_attributes`.

    Entity k has `attributes[offsets[k]:offsets[k + 1]]`, ascending, each once.
    """

    offsets: Longs
    attributes: Longs
    num_attributes: int

    @classmethod
    def of_pairs(cls, entities: NDArray[np.integer], attributes: NDArray[np.integer], n: int) -> Attributes:
        """Build from (entity, attribute) pairs in any order, repeats allowed."""
        width = int(attributes.max()) + 1 if len(attributes) else 1
        # Sort and remove repeats by hand: np.unique hashes first, which takes ten times as long here.
        keys = np.sort(entities.astype(np.int64) * width + attributes)
        keys = keys[np.diff(keys, prepend=-1) > 0]
        counts = np.bincount(keys // width, minlength=n)
        return cls(np.concatenate([[0], np.cumsum(counts)]), keys % width, width)

    @property
    def counts(self) -> Longs:
        """Number of attributes of each entity, (n,)."""
        return np.diff(self.offsets)

    def shared(self, first: Longs, second: Longs) -> Bools:
        """Mask (P,) of pairs of entities `first`, `second` (P,) that have an attribute in common."""
        keys = np.repeat(np.arange(len(self.counts)), self.counts) * self.num_attributes + self.attributes
        # Cut blocks by attributes, not by pairs: two popular items have thousands of buyers each.
        spelled = np.cumsum(np.minimum(self.counts[first], self.counts[second]) + 1)
        total = int(spelled[-1]) if len(spelled) else 0
        cuts = np.searchsorted(spelled, np.arange(ATTRIBUTES_AT_ONCE, total, ATTRIBUTES_AT_ONCE))
        found = np.zeros(len(first), dtype=bool)
        for begin, end in pairwise([0, *cuts.tolist(), len(first)]):
            found[begin:end] = self._shared(first[begin:end], second[begin:end], keys)
        return found

    def _shared(self, first: Longs, second: Longs, keys: Longs) -> Bools:
        # Look the shorter list up in the longer one.
        swap = self.counts[first] > self.counts[second]
        short, long = np.where(swap, second, first), np.where(swap, first, second)
        lengths = self.counts[short]
        pair = np.repeat(np.arange(len(short)), lengths)
        begins = np.cumsum(lengths) - lengths
        attributes = self.attributes[np.arange(len(pair)) + (self.offsets[short] - begins)[pair]]
        hits = isin_sorted(long[pair] * self.num_attributes + attributes, keys)
        return np.bincount(pair[hits], minlength=len(first)) > 0


@dataclass(frozen=True, eq=False)
class Agreement:
    """Per entity, the share of its partners that have an attribute in common with it: (n,) float64.

    NaN for entities without attributes or neighbours.
    """

    neighbours: Floats
    uniform: Floats
    matched: Floats


def agreement(
    attributes: Attributes, indices: NDArray[np.integer], popularity: NDArray[np.integer], seed: int = 0
) -> Agreement:
    """Compare neighbours with as many random partners of each entity.

    `indices` (n, N), -1 for nobody; matched partners are alike in `popularity` (n,).
    """
    n, width = indices.shape
    rng = np.random.default_rng(seed)
    own = np.repeat(np.arange(n), width)
    partners = indices.ravel().astype(np.int64)
    real = partners >= 0
    own, partners = own[real], partners[real]
    drawn = {
        "neighbours": partners,
        "uniform": _others(rng.integers(0, max(n - 1, 1), len(own)), own),
        "matched": _alike(partners, own, popularity, rng),
    }
    shares = {}
    for name, chosen in drawn.items():
        counted = np.bincount(own, minlength=n).astype(np.float64)
        hits = np.bincount(own, weights=attributes.shared(own, chosen), minlength=n)
        counted[attributes.counts == 0] = 0
        shares[name] = np.where(counted > 0, hits / np.maximum(counted, 1), np.nan)
    return Agreement(**shares)


def _others(drawn: Longs, own: Longs) -> Longs:
    """Map uniform numbers below n - 1 to entities other than `own`."""
    return drawn + (drawn >= own)


def _alike(partners: Longs, own: Longs, popularity: NDArray[np.integer], rng: np.random.Generator) -> Longs:
    """Draw entities next to the partners in order of popularity, other than `own`; ties in random order."""
    n = len(popularity)
    order = np.lexsort((rng.random(n), popularity))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    reach = min(max(int(WINDOW * n), AT_LEAST), max(n - 1, 1))
    # Never the partner itself; beyond an end of the order, the same distance to the other side.
    step = rng.integers(1, reach + 1, len(partners)) * rng.choice([-1, 1], len(partners))
    place = rank[partners] + step
    outside = (place < 0) | (place >= n)
    place[outside] = (rank[partners] - step)[outside]
    chosen: Longs = order[place % n]
    same = chosen == own
    chosen[same] = order[(rank[chosen[same]] + 1) % n]
    return chosen


HUBS = 0.01  # share of entities that count as hubs
SAME = 0.9999  # cosine from which no method can distinguish two vectors (bfloat16 has three digits)

PERSISTENCE = 0.9
ROWS_AT_ONCE = 4096


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
