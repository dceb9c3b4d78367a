"""SASRec: self-attentive sequential recommendation (Kang & McAuley, ICDM 2018)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import FeedForward, SelfAttention
from grasp_bench.models.backbones.base import Backbone, initialise
from grasp_bench.models.layers import RowTable, dropout
from grasp_bench.models.layout import Layout


class SASRec(Backbone):
    """Pre-norm transformer with learned positions, trained to predict the next item at every position.

    As in its reference: item vectors scaled by √d, only the query is normalised before attention and
    the residual adds to the normalised query, feed-forward of width d with ReLU, a final LayerNorm.
    Positions are counted from the end, as with padding at the left: the latest item is always at position 0,
    in training and at inference.

    Args:
        causal: False lets every position see the whole sequence, the predicted item included, as released
            with LLM-ESR.
    """

    def __init__(
        self, width: int, max_len: int, blocks: int = 2, heads: int = 1, dropout: float = 0.5,
        causal: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.causal = causal
        self.dropout = dropout
        self.scale = math.sqrt(width)
        self.positions = RowTable(max_len, width)
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-8) for _ in range(blocks))
        self.attentions = nn.ModuleList(SelfAttention(width, heads, dropout, causal) for _ in range(blocks))
        self.forward_norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-8) for _ in range(blocks))
        self.forwards = nn.ModuleList(FeedForward(width, width, dropout, "relu") for _ in range(blocks))
        self.final_norm = nn.LayerNorm(width, eps=1e-8)
        initialise(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SASRec:
        """Build from `spec.model.Model.effective()`."""
        return cls(
            settings["embedding_dim"], settings["max_len"], settings["blocks"], settings["heads"],
            settings["dropout"], settings["causal"],
        )  # fmt: skip

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn item vectors (T, d) into states (T, d)."""
        x_TD = x_TD * self.scale + self.positions(layout.from_end_T())
        x_TD = dropout(x_TD, self.dropout, self.training)
        for attention_norm, attention, forward_norm, feed_forward in zip(
            self.attention_norms, self.attentions, self.forward_norms, self.forwards, strict=True
        ):
            query_TD = attention_norm(x_TD)
            x_TD = query_TD + attention(query_TD, x_TD, layout)
            x_TD = forward_norm(x_TD)
            x_TD = x_TD + feed_forward(x_TD)
        return self.final_norm(x_TD)
