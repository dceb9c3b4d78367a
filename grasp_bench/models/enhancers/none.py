"""No enhancer: learned ID embeddings, as the backbones were published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer, Knowledge


class NoEnhancer(Enhancer):
    """One trained vector per item, the same for every user, tied between input and output."""

    def __init__(self, num_items: int, width: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.table = nn.Embedding(num_items, width)
        nn.init.xavier_normal_(self.table.weight)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> NoEnhancer:
        """Build from `spec.model.Model.effective()`."""
        return cls(num_items, settings["embedding_dim"])

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Rows of the table."""
        return self.table(history.items_T), self.table(candidates.items_SK)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Rows of the table."""
        return self.table(history.items_T)

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """One product with the table."""
        return states_Bd @ self.table.weight.T
