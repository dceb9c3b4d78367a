"""Rank targets by the scores of a file, in blocks of users.

A pair without a score ranks below every pair with one, tied with the other pairs without. Shape suffixes:
Q queries, C candidates with the target first, R rows of a block, m items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_bench.evaluation.ranker import Queries, Ranks

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """All rows of some users: `pairs_R` (user · m + item), ascending, and `scores_R`."""

    pairs_R: Ints
    scores_R: Floats

    @classmethod
    def of(cls, users_R: Ints, items_R: Ints, scores_R: Floats, num_items: int) -> Block:
        """Sort the rows; no pair may occur twice."""
        pairs = users_R * num_items + items_R
        order = np.argsort(pairs, kind="stable")
        return cls(pairs[order], scores_R[order])

    def scores_of(self, wanted: Ints) -> Floats:
        """Look up the scores of pairs of any shape; −inf if the file has none."""
        if not len(self.pairs_R):
            return np.full(wanted.shape, -np.inf)
        place = np.searchsorted(self.pairs_R, wanted).clip(max=len(self.pairs_R) - 1)
        return np.where(self.pairs_R[place] == wanted, self.scores_R[place], -np.inf)

    def without(self, hidden: Ints) -> Block:
        """Remove the rows of `hidden` pairs."""
        kept = ~np.isin(self.pairs_R, hidden, assume_unique=True)
        return Block(self.pairs_R[kept], self.scores_R[kept])


class Counts:
    """Counts of better and tied candidates of Q targets, filled in block by block."""

    def __init__(self, queries: int) -> None:
        self.better_Q = np.zeros(queries, dtype=np.int64)
        self.tied_Q = np.zeros(queries, dtype=np.int64)

    def ranks(self) -> Ranks:
        """Return the counts as the ranker does."""
        return Ranks(torch.from_numpy(self.better_Q), torch.from_numpy(self.tied_Q))


class AmongCandidates:
    """Ranks among the stored candidates."""

    def __init__(self, queries: Queries, num_items: int) -> None:
        items_QC = torch.cat([queries.targets_Q[:, None], queries.negatives_QK], dim=1).numpy()
        self._pairs_QC = queries.users_Q.numpy()[:, None] * num_items + items_QC
        self.counts = Counts(len(queries))
        self.absent_Q = np.zeros(len(queries), dtype=np.int64)
        self.expected = self._pairs_QC.size

    def add(self, rows: Ints, block: Block) -> None:
        """Rank the queries `rows`, whose users the block holds."""
        scores_RC = block.scores_of(self._pairs_QC[rows])
        target_R1, others = scores_RC[:, :1], scores_RC[:, 1:]
        self.counts.better_Q[rows] = (others > target_R1).sum(axis=1)
        self.counts.tied_Q[rows] = (others == target_R1).sum(axis=1)
        self.absent_Q[rows] = np.isneginf(scores_RC).sum(axis=1)


class InCatalogue:
    """Ranks among all items; for lists of the best items, they are exact up to the length of the list.

    `pool_Q` counts the items that each target is ranked among, `hidden` are known pairs outside that pool,
    and `listed_Q` counts the items of the pool with a score.
    """

    def __init__(self, queries: Queries, num_items: int, pool_Q: Ints, hidden: Ints, top: int) -> None:
        self._targets_Q = queries.users_Q.numpy() * num_items + queries.targets_Q.numpy()
        self._num_items, self._hidden, self._top = num_items, hidden, min(top, num_items)
        self.pool_Q = pool_Q
        self.counts = Counts(len(queries))
        self.listed_Q = np.zeros(len(queries), dtype=np.int64)
        self.best_Qk = np.full((len(queries), self._top), -1, dtype=np.int64)

    @property
    def recommendations(self) -> torch.Tensor:
        """The best items of each query, (Q, top)."""
        return torch.from_numpy(self.best_Qk)

    def add(self, rows: Ints, block: Block) -> None:
        """Rank the queries `rows`, whose users the block holds."""
        users = self._targets_Q[rows] // self._num_items
        order = np.argsort(users)
        rows, users = rows[order], users[order]
        block = block.without(self._hidden)
        owner_R = block.pairs_R // self._num_items
        asked = np.isin(owner_R, users)
        pairs_R, scores_R = block.pairs_R[asked], block.scores_R[asked]
        query_R = np.searchsorted(users, owner_R[asked])  # rows of the block count from 0 here
        target = block.scores_of(self._targets_Q[rows])
        listed = np.bincount(query_R, minlength=len(rows))
        above = np.bincount(query_R, scores_R > target[query_R], minlength=len(rows)).astype(np.int64)
        equal = np.bincount(query_R, scores_R == target[query_R], minlength=len(rows)).astype(np.int64)
        absent = self.pool_Q[rows] - listed
        self.listed_Q[rows] = listed
        self.counts.better_Q[rows] = above
        self.counts.tied_Q[rows] = np.where(np.isfinite(target), equal, absent) - 1
        self._keep_best(rows, query_R, pairs_R % self._num_items, scores_R, listed)

    def _keep_best(self, rows: Ints, query_R: Ints, items_R: Ints, scores_R: Floats, listed: Ints) -> None:
        """The highest scores of each query, lower item numbers first among equals."""
        order = np.lexsort((items_R, -scores_R, query_R))
        place = np.arange(len(order)) - np.repeat(np.cumsum(listed) - listed, listed)
        kept = place < self._top
        self.best_Qk[rows[query_R[order][kept]], place[kept]] = items_R[order][kept]
        for short in np.flatnonzero(listed < self._top):
            self._fill(int(rows[short]), int(listed[short]))

    def _fill(self, row: int, listed: int) -> None:
        """Behind what is listed come the items without a score, those that are no candidates last."""
        items = np.setdiff1d(np.arange(self._num_items), self.best_Qk[row, :listed])
        user = self._targets_Q[row] // self._num_items
        known = np.isin(user * self._num_items + items, self._hidden)
        rest = np.concatenate([items[~known], items[known]])
        self.best_Qk[row, listed:] = rest[: self._top - listed]
