"""Transformer encoder of the codes of a history.

Shape suffixes: B users, T tokens of all of them, d width.
"""

from __future__ import annotations

from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import FeedForward, SelfAttention
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout


class Encoder(nn.Module):
    """Layers of self-attention, both ways, and feed-forward, each after a norm, and a final norm."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.attentions = nn.ModuleList(SelfAttention(width, heads, dropout, False) for _ in range(layers))
        self.forward_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.forwards = nn.ModuleList(FeedForward(width, hidden, dropout, "relu") for _ in range(layers))
        self.final_norm = nn.LayerNorm(width)

    def forward(self, x_Td: Tensor, layout: Layout) -> Tensor:
        """Turn tokens (T, d) into states (T, d)."""
        for attention_norm, attention, forward_norm, feed_forward in zip(
            self.attention_norms, self.attentions, self.forward_norms, self.forwards, strict=True
        ):
            normed_Td = attention_norm(x_Td)
            x_Td = x_Td + dropout(attention(normed_Td, normed_Td, layout), self.dropout, self.training)
            x_Td = x_Td + feed_forward(forward_norm(x_Td))
        return self.final_norm(x_Td)
