"""Measure how often an entity and its semantic neighbour have an attribute in common.

Two items may share a buyer, two users an item; a brand or a category serves as well. Neighbours are compared
with random partners, drawn uniformly and drawn with the popularity of the neighbours: popular entities share
attributes with anybody, and embeddings may only have found the popular ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted

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
