"""Item-kNN on embeddings: the items nearest to what the user has had, nothing trained."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import normalize

from grasp_bench.controls.base import Control
from grasp_bench.core.errors import DataError
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class ItemKnn(Control):
    """Cosine between an item and the mean of the history's items, each of unit length, repeats counted.

    score(u, i) = e(i) · Σ e(h) / ‖Σ e(h)‖ over the whole history h, with e of unit norm: up to the norm,
    the mean cosine to the items of the history. The mean rather than the maximum, because with the
    maximum every item that the user has had scores 1, and a repeat would win for having been there.
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
                mend="run again so that embeddings are made from this split",
            )
        return cls(normalize(items_mD.float(), dim=1))

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """The direction of each history's sum, (B, D)."""
        sums_BD = self.units_mD.new_zeros(history.layout.batch, self.units_mD.shape[1])
        sums_BD.index_add_(0, history.layout.sequence_T, self.units_mD[history.items_T])
        return normalize(sums_BD, dim=1)

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Cosines to the candidates."""
        return torch.einsum("bkd,bd->bk", self.units_mD[candidates.items_SK], states_B)

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """One product with all items."""
        return states_B @ self.units_mD.T
