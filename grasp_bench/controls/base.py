"""The contract of a control."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor

from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class Control:
    """Scores items without training and without a setting; the ranker takes it for a scorer.

    Contract (tests/controls/test_control_contract.py runs it for every registered control): fitted twice
    it scores the same; a pair's score is the same alone, among others in any order and in the whole
    catalogue; held-out items of other users play no part in it. All tensors are on the CPU.
    """

    def __init__(self, num_items: int) -> None:
        self.num_items = num_items

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Take from the training part, or from item embeddings, what scoring needs."""
        raise NotImplementedError(f"{cls.__name__} does not say how it is made")

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """What is kept of each history (B, …); the last item, unless a control says otherwise."""
        return history.items_T[history.layout.last_B]

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Scores (B, K) of a few candidates per user."""
        raise NotImplementedError(f"{type(self).__name__} has no score_candidates")

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Scores (B, m) of all items, in memory of its own."""
        raise NotImplementedError(f"{type(self).__name__} has no score_catalogue")

    def eval(self) -> Control:
        """Nothing is ever learned."""
        return self

    def catalogue(self) -> None:
        """Nothing is prepared for a pass."""
        return None

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> None:
        """There are none."""
        return None
