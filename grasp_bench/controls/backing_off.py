"""Controls that score a few items by evidence and all others by popularity."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.controls.popularity import popularity
from grasp_bench.controls.sparse import GRAIN, entries, history_rows
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class BackingOff(Control):
    """Evidence first; popularity among equal evidence, and where there is none.

    With e(u, b) ≥ 0 the evidence that user u takes item b next, and p(b) how often b stands in training,

        score(u, b) = e(u, b) / grain · (1 + max p) + p(b),     e / grain rounded to a whole number.

    Scores are whole numbers, exact in float64 below 2^53: what is equal in both is a tie. Items that the user
    has had are candidates like others: a repeat costs nothing.
    """

    decay: ClassVar[float] = 0.5  # what an item of the history weighs, of the weight of the one after it
    grain: ClassVar[float] = GRAIN

    def __init__(self, popularity_m: Tensor) -> None:
        super().__init__(len(popularity_m))
        self.popularity_m = popularity_m
        self.scale = float(1 + popularity_m.max())

    def evidence(self, history: History) -> csr_array:
        """e(u, b), (B, m). A row is the same whatever the others are."""
        raise NotImplementedError(f"{type(self).__name__} has no evidence")

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Look the evidence up."""
        found_BK = entries(self._scaled(history), candidates.items_SK.numpy())
        return torch.from_numpy(found_BK).add_(self.popularity_m[candidates.items_SK])

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Popularity, and on top of it the few items that something speaks for."""
        return torch.from_numpy(self._scaled(history).toarray()).add_(self.popularity_m)

    def _scaled(self, history: History) -> csr_array:
        """Evidence in whole grains, each above every popularity."""
        evidence = self.evidence(history)
        evidence.data = np.rint(evidence.data / self.grain) * self.scale
        return evidence


class LinkedItems(BackingOff):
    """Evidence from the items of a history: e(u, b) = Σ_a w(u, a) · s(a, b).

    w(u, a) is `decay` to the power of the steps since u last had a; with a decay of 0 the last item alone
    counts. s(a, b) is what training says of the two.
    """

    def __init__(self, links_mm: csr_array, popularity_m: Tensor) -> None:
        super().__init__(popularity_m)
        self.links_mm = links_mm

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Link the items of the training part."""
        return cls(cls.links(train), popularity(train))

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """s(a, b), (m, m)."""
        raise NotImplementedError(f"{cls.__name__} does not say how items are linked")

    def evidence(self, history: History) -> csr_array:
        """One sparse product."""
        return history_rows(history, self.num_items, self.decay) @ self.links_mm
