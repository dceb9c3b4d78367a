"""One trained vector per item: the base of the enhancers that keep the backbone's own ID table."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.row_table import RowTable


class ItemTable(Enhancer):
    """The same vector for every user, tied between input and output; Xavier-normal until told otherwise."""

    def __init__(self, num_items: int, width: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.table = RowTable(num_items, width)
        nn.init.xavier_normal_(self.table.weight)

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Rows of the table."""
        return self.table(history.items_T), self.table(candidates.items_SK)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Rows of the table."""
        return self.table(history.items_T)

    def training_vectors(self, items_N: Tensor | None = None) -> Tensor:
        """Rows of the table, or the table."""
        return self.table.weight if items_N is None else self.table(items_N)

    def item_vectors(self, catalogue: Any) -> Tensor:
        """The table."""
        return self.table.weight

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """One product with the table."""
        return states_Bd @ self.table.weight.T
