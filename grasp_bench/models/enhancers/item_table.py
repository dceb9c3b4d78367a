"""One trained vector per item: the ID table that some enhancers extend, and no enhancer at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer, Knowledge
from grasp_bench.models.layers import RowTable


class ItemTable(Enhancer):
    """The same vector for every user, tied between input and output, initially Xavier-normal."""

    def __init__(self, num_items: int, width: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.table = RowTable(num_items, width)
        nn.init.xavier_normal_(self.table.weight)

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Look up rows of the table."""
        return self.table(history.items_T), self.table(candidates.items_SK)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Look up rows of the table."""
        return self.table(history.items_T)

    def training_vectors(self, items_N: Tensor | None = None) -> Tensor:
        """Return rows of the table, or the table."""
        return self.table.weight if items_N is None else self.table(items_N)

    def item_vectors(self, catalogue: Any) -> Tensor:
        """Return the table."""
        return self.table.weight

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Multiply the states by the table."""
        return states_Bd @ self.table.weight.T


class NoEnhancer(ItemTable):
    """No enhancer: learned ID embeddings, as the backbones were published."""

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> NoEnhancer:
        """Build from `spec.model.Model.effective()`."""
        return cls(num_items, settings["embedding_dim"])
