"""One score for everything: it must rank at chance, or the evaluation is broken."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class Constant(Control):
    """score(u, i) = 0: every candidate ties with the target."""

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Nothing to take."""
        return cls(train.num_items)

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Zeros."""
        return torch.zeros(candidates.items_SK.shape)

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Zeros."""
        return torch.zeros(len(states_B), self.num_items)
