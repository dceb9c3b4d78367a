"""Do semantic neighbours meet in behaviour? How often an entity and its neighbour have something in common.

What two items have in common is a buyer, what two users have in common an item; a brand or a category
serves as well. Neighbours are held against random partners, drawn uniformly, and drawn with the neighbours'
own popularity: popular entities meet anybody, and embeddings may only have found the popular ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import isin_sorted

WINDOW = 0.005  # matched partners come from this share of entities on each side in order of popularity
AT_LEAST = 10  # entities on each side, for small catalogues
TRAITS_AT_ONCE = 1 << 20  # of all pairs that are looked at together: some 60 bytes each

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Traits:
    """Which of `num_traits` traits (buyers, items, brands) each of n entities has.

    Those of entity k are `traits[offsets[k]:offsets[k + 1]]`, ascending, each once.
    """

    offsets: Longs
    traits: Longs
    num_traits: int

    @classmethod
    def of_pairs(cls, entities: NDArray[np.integer], traits: NDArray[np.integer], n: int) -> Traits:
        """From (entity, trait) pairs in any order, repeats allowed."""
        width = int(traits.max()) + 1 if len(traits) else 1
        # Sorted and thinned by hand: np.unique hashes first, which takes ten times as long here.
        keys = np.sort(entities.astype(np.int64) * width + traits)
        keys = keys[np.diff(keys, prepend=-1) > 0]
        counts = np.bincount(keys // width, minlength=n)
        return cls(np.concatenate([[0], np.cumsum(counts)]), keys % width, width)

    @property
    def counts(self) -> Longs:
        """How many traits each entity has, (n,)."""
        return np.diff(self.offsets)

    def shared(self, first: Longs, second: Longs) -> Bools:
        """Has pair k a trait in common? `first` and `second` (P,) are entities."""
        keys = np.repeat(np.arange(len(self.counts)), self.counts) * self.num_traits + self.traits
        # Cut by what is spelled out, not by pairs: two popular items have thousands of buyers each.
        spelled = np.cumsum(np.minimum(self.counts[first], self.counts[second]) + 1)
        total = int(spelled[-1]) if len(spelled) else 0
        cuts = np.searchsorted(spelled, np.arange(TRAITS_AT_ONCE, total, TRAITS_AT_ONCE))
        found = np.zeros(len(first), dtype=bool)
        for begin, end in pairwise([0, *cuts.tolist(), len(first)]):
            found[begin:end] = self._shared(first[begin:end], second[begin:end], keys)
        return found

    def _shared(self, first: Longs, second: Longs, keys: Longs) -> Bools:
        # The shorter list is spelled out and looked up in the longer.
        swap = self.counts[first] > self.counts[second]
        short, long = np.where(swap, second, first), np.where(swap, first, second)
        lengths = self.counts[short]
        pair = np.repeat(np.arange(len(short)), lengths)
        begins = np.cumsum(lengths) - lengths
        traits = self.traits[np.arange(len(pair)) + (self.offsets[short] - begins)[pair]]
        hits = isin_sorted(long[pair] * self.num_traits + traits, keys)
        return np.bincount(pair[hits], minlength=len(first)) > 0


@dataclass(frozen=True, eq=False)
class Agreement:
    """Per entity, the share of its partners that have a trait in common with it: (n,) float64.

    NaN for entities without a trait of their own and for those without neighbours.
    """

    neighbours: Floats
    uniform: Floats
    matched: Floats


def agreement(
    traits: Traits, indices: NDArray[np.integer], popularity: NDArray[np.integer], seed: int = 0
) -> Agreement:
    """Compare neighbours with as many random partners of each entity.

    `indices` (n, N), -1 where nobody is; `popularity` (n,) is what matched partners are alike in.
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
        hits = np.bincount(own, weights=traits.shared(own, chosen), minlength=n)
        counted[traits.counts == 0] = 0
        shares[name] = np.where(counted > 0, hits / np.maximum(counted, 1), np.nan)
    return Agreement(**shares)


def _others(drawn: Longs, own: Longs) -> Longs:
    """Numbers below n - 1 as entities other than `own`, each as likely."""
    return drawn + (drawn >= own)


def _alike(partners: Longs, own: Longs, popularity: NDArray[np.integer], rng: np.random.Generator) -> Longs:
    """Entities next to the partners in order of popularity, other than `own`; equals in random order."""
    n = len(popularity)
    order = np.lexsort((rng.random(n), popularity))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    reach = min(max(int(WINDOW * n), AT_LEAST), max(n - 1, 1))
    # Never the partner itself; beyond an end of the order, as far to the other side.
    step = rng.integers(1, reach + 1, len(partners)) * rng.choice([-1, 1], len(partners))
    place = rank[partners] + step
    outside = (place < 0) | (place >= n)
    place[outside] = (rank[partners] - step)[outside]
    chosen: Longs = order[place % n]
    same = chosen == own
    chosen[same] = order[(rank[chosen[same]] + 1) % n]
    return chosen
