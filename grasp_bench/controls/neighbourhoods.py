"""Nearest-neighbour controls: items by shared users, items by embedding, users by shared items."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, vstack
from torch import Tensor
from torch.nn.functional import normalize

from grasp_bench.controls.base import Control
from grasp_bench.controls.markov import BackingOff, LinkedItems, history_rows, nearest, user_items
from grasp_bench.controls.unpersonalised import popularity
from grasp_bench.core.errors import DataError
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History

ITEMS_AT_ONCE = 1024  # items compared with all others
HISTORIES_AT_ONCE = 64  # histories compared with all users


class ItemCf(LinkedItems):
    """Neighbourhoods of items by co-occurrence (Sarwar et al.: "Item-based collaborative filtering
    recommendation algorithms", WWW 2001), with shrinkage and recency.

    s(a, b) = n(a, b) / (√(n(a) · n(b)) + h), n the number of users who had an item, or both, in training, for
    the k items that are nearest to a; 0 for others and for a itself. This is the cosine, shrunk so that few
    users make no strong link, as in Bell and Koren ("Scalable collaborative filtering with jointly derived
    neighborhood interpolation weights", ICDM 2007). Recent items weigh more, as in Ding and Li ("Time weight
    collaborative filtering", CIKM 2005), here by place rather than by time. h = 10, k = 200 and the decay of
    0.5 were chosen from {0, 2, 10, 20, 30}, 20 to 1,000 and {1, 0.8, 0.5} by validation NDCG@10 in full
    ranking on amazon-beauty, goodreads and movielens-small.
    """

    shrinkage = 10.0
    neighbours = 200

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """Count shared users, a block of items at a time: an item may share users with all others."""
        rows_Um = user_items(train)
        items_mU, users_m = rows_Um.T.tocsr(), rows_Um.sum(axis=0)
        blocks = []
        for start in range(0, train.num_items, ITEMS_AT_ONCE):
            shared = (items_mU[start : start + ITEMS_AT_ONCE] @ rows_Um).tocoo()
            one, other = shared.coords[0] + start, shared.coords[1]
            cosines = shared.data / (np.sqrt(users_m[one] * users_m[other]) + cls.shrinkage)
            cosines[one == other] = 0
            blocks.append(nearest(csr_array((cosines, shared.coords), shape=shared.shape), cls.neighbours))
        return vstack(blocks, format="csr")


class ItemKnn(Control):
    """Cosine between an item and the mean of the history's items, each of unit length, repeats counted.

    score(u, i) = e(i) · Σ e(h) / ‖Σ e(h)‖ over the whole history h, with e of unit norm: up to the norm,
    the mean cosine to the items of the history. The maximum instead of the mean would give every item of
    the history a score of 1, so that repeats always win.
    """

    def __init__(self, units_mD: Tensor) -> None:
        super().__init__(len(units_mD))
        self.units_mD = units_mD

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Bring the vectors to unit length; DataError unless there is one for each item."""
        if items_mD is None or len(items_mD) != train.num_items:
            found = "no" if items_mD is None else f"{len(items_mD):,}"
            raise DataError(
                f"item_knn: {found} item embeddings for {train.num_items:,} items",
                hint="run again so that embeddings are made from this split",
            )
        return cls(normalize(items_mD.float(), dim=1))

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """Return the direction of each history's sum, (B, D)."""
        sums_BD = self.units_mD.new_zeros(history.layout.batch, self.units_mD.shape[1])
        sums_BD.index_add_(0, history.layout.sequence_T, self.units_mD[history.items_T])
        return normalize(sums_BD, dim=1)

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Return cosines to the candidates."""
        return torch.einsum("bkd,bd->bk", self.units_mD[candidates.items_SK], states_B)

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Return cosines to all items."""
        return states_B @ self.units_mD.T


class SequenceKnn(BackingOff):
    """VSKNN (Ludewig, Jannach: "Evaluation of session-based recommendation algorithms", UMUAI 2018, after
    arXiv:1803.09587): an item's evidence is the similarity of the training sequences that hold it.

    e(u, b) = Σ_v sim(u, v) · [v had b] over the k users v nearest to u, and those that tie with the k-th;
    sim(u, v) = Σ_a w(u, a) · [v had a] / √|v|, the cosine of weighted history and set of items up to a factor
    of u. A user's own training sequence is no neighbour: it holds only items that the user already had.
    k = 100 as in the published code. Its weights fall linearly with the position and its similarity is a dot
    product. Here weights halve from item to item and the cosine is used, as chosen by validation NDCG@10 in
    full ranking: better on amazon-beauty, goodreads and movielens-small alike (5.40, 18.52 and 2.78 against
    4.93, 17.18 and 2.02).
    """

    neighbours = 100

    def __init__(self, users_Um: csr_array, popularity_m: Tensor) -> None:
        super().__init__(popularity_m)
        lengths_U = np.maximum(users_Um.sum(axis=1), 1)
        self.users_Um = users_Um
        self.items_mU = (users_Um.T @ diags_array(1 / np.sqrt(lengths_U))).tocsr()

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Store the items of each user."""
        return cls(user_items(train), popularity(train))

    def evidence(self, history: History) -> csr_array:
        """Multiply similarities to the nearest users by their items."""
        rows_Bm, users_B = history_rows(history, self.num_items, self.decay), history.users_B.numpy()
        starts = range(0, len(users_B), HISTORIES_AT_ONCE)
        blocks = [slice(start, start + HISTORIES_AT_ONCE) for start in starts]
        found = [self._nearest_users(rows_Bm[block], users_B[block]) @ self.users_Um for block in blocks]
        return vstack(found, format="csr")

    def _nearest_users(self, rows_Bm: csr_array, users_B: NDArray[np.int64]) -> csr_array:
        similar_BU = (rows_Bm @ self.items_mU).tocoo()
        rows, users = similar_BU.coords
        others = users != users_B[rows]
        shape, found = similar_BU.shape, (similar_BU.data[others], (rows[others], users[others]))
        return nearest(csr_array(found, shape=shape), self.neighbours)
