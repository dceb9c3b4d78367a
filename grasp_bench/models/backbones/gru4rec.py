"""GRU4Rec: recurrent sequential recommendation (Hidasi et al., ICLR 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.backbones.base import Backbone, initialise
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout


class GRU4Rec(Backbone):
    """Dropout on the item vectors, a GRU, and a linear layer to the width of the items."""

    causal = True

    def __init__(self, width: int, layers: int = 1, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = dropout
        self.recurrent = nn.GRU(width, width, layers, batch_first=True)
        self.output = nn.Linear(width, width)
        initialise(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> GRU4Rec:
        """Build from `spec.model.Model.effective()`."""
        return cls(settings["embedding_dim"], settings["layers"], settings["dropout"])

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn item vectors (T, d) into states (T, d)."""
        x_TD = dropout(x_TD, self.dropout, self.training)
        return self.output(layout.recur(self.recurrent, x_TD))
