"""Popularity: how often an item was interacted with in training, whoever asks."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class Popularity(Control):
    """score(u, i) = interactions with i in the training part; held-out items are not counted."""

    def __init__(self, counts_m: Tensor) -> None:
        super().__init__(len(counts_m))
        self.counts_m = counts_m

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Count."""
        return cls(popularity(train))

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Counts of the candidates."""
        return self.counts_m[candidates.items_SK]

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """The same row for every user."""
        return self.counts_m.repeat(len(states_B), 1)


def popularity(train: TrainPart) -> Tensor:
    """Interactions with each item in training, float64 (m,): whole numbers, exact."""
    items = torch.from_numpy(train.train_items.astype("int64"))
    return torch.bincount(items, minlength=train.num_items).double()
