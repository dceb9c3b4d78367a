"""Base class of controls: scorers that nothing trains."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor

from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class Control:
    """A scorer without training and without settings; the ranker uses it like a model.

    Contract (tests/controls/test_control_contract.py runs it for every registered control): fitted twice
    it scores the same; a pair's score is the same alone, among others in any order and in the whole
    catalogue, and does not depend on held-out items of other users. All tensors are on the CPU.
    """

    def __init__(self, num_items: int) -> None:
        self.num_items = num_items

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Build a control from the training part or from item embeddings."""
        raise NotImplementedError(f"{cls.__name__} does not implement fit")

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """Return what scoring reads of each history, (B, …): by default the last item."""
        return history.items_T[history.layout.last_B]

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Return scores (B, K) of a few candidates per user."""
        raise NotImplementedError(f"{type(self).__name__} has no score_candidates")

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Return scores (B, m) of all items, in newly allocated memory."""
        raise NotImplementedError(f"{type(self).__name__} has no score_catalogue")

    def eval(self) -> Control:
        """Return self: there is no training mode."""
        return self

    def catalogue(self) -> None:
        """Return None: scoring needs no data computed in advance."""
        return None

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> None:
        """Return None: there are no features of pairs."""
        return None
