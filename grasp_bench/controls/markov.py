"""First-order Markov chain with repeats: what came after this item in training?"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.controls.popularity import popularity
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.layout import gather_sequences


class Markov(Control):
    """Counts of transitions from the user's last item, backing off to popularity.

    With n(a → b) the number of times that b stands directly after a in the training part of a user, all
    users together, b = a included, and p(b) how often b stands there at all,

        score(u, b) = n(last item of u → b) · (1 + max p) + p(b).

    So what has followed the last item ranks by how often it did; among equals, and among all that never did,
    the more popular ranks higher; equal in both is a tie. The last item of a test user is his validation
    item, as it is for models; the step to it is not counted, for it was not trained on. Items that the user
    has had are candidates like others: a repeat costs nothing. Scores are whole numbers below 2^53, exact
    in float64.
    """

    def __init__(self, steps: Tensor, counts: Tensor, popularity_m: Tensor) -> None:
        """`steps` (S,) are the distinct a·m + b, ascending; `counts` (S,) how often each was taken."""
        super().__init__(len(popularity_m))
        self.steps, self.popularity_m = steps, popularity_m
        self.bonus = counts.double() * (1 + popularity_m.max())
        sources = torch.arange(self.num_items + 1) * self.num_items
        self.offsets = torch.searchsorted(steps, sources)  # steps from item a: offsets[a] to offsets[a + 1]

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Count the steps between neighbours in one user's training sequence."""
        before, after = train.train_steps
        taken = before.astype(np.int64) * train.num_items + after
        steps, counts = np.unique(taken, return_counts=True)
        return cls(torch.from_numpy(steps), torch.from_numpy(counts), popularity(train))

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Look the steps up."""
        scores_BK = self.popularity_m[candidates.items_SK]
        if not len(self.steps):
            return scores_BK
        wanted = states_B[:, None] * self.num_items + candidates.items_SK
        place = torch.searchsorted(self.steps, wanted).clamp_max(len(self.steps) - 1)
        return scores_BK + torch.where(self.steps[place] == wanted, self.bonus[place], 0.0)

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Popularity, and on top of it the few items that have followed."""
        scores_Bm = self.popularity_m.repeat(len(states_B), 1)
        starts = self.offsets[states_B]
        index, layout = gather_sequences(starts, self.offsets[states_B + 1] - starts)
        followers = self.steps[index] % self.num_items
        scores_Bm[layout.sequence_T, followers] += self.bonus[index]
        return scores_Bm
