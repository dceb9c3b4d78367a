"""What the ranker asks of whatever scores: a trained recommender, or a control that nothing trains."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from grasp_bench.models.batch import Candidates, History


class Scorer(Protocol):
    """Scores of items behind histories; higher is better, NaN is refused, equal scores are ties.

    A pair's score is the same alone, among other candidates and in the whole catalogue, and does not
    depend on the other users of the batch (shape suffixes as in the ranker).
    """

    @property
    def num_items(self) -> int:
        """m, the items of the catalogue."""
        ...

    def eval(self) -> object:
        """Get ready to score, not to learn; called before each pass."""
        ...

    def catalogue(self) -> Any:
        """What scoring needs of all items, computed once a pass and handed back with every call."""
        ...

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Features (…, F) of (user, item) pairs that stay as they are from pass to pass; None without."""
        ...

    def states(self, history: History, catalogue: Any) -> Tensor:
        """What is kept of each history, (B, …)."""
        ...

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Scores (B, K) of a few candidates per user."""
        ...

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any) -> Tensor:
        """Scores (B, m) of all items, in memory of its own: the ranker writes into it."""
        ...
