"""Self-attention and feed-forward layers on unpadded tokens, shared by SASRec and BERT4Rec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.backbones.packed_attention import attend, attend_by_torch
from grasp_bench.models.layers import dropout
from grasp_bench.models.layout import Layout

Activation = Literal["relu", "gelu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class SelfAttention(nn.Module):
    """Multi-head self-attention on packed rows: few products for sequences of all lengths."""

    def __init__(self, width: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, query_TD: Tensor, memory_TD: Tensor, layout: Layout) -> Tensor:
        """Attend from queries (T, d) to memory (T, d) of the same sequence."""
        packing = layout.packing()
        dropped = self.dropout if self.training else 0.0
        projected = self.query(query_TD), self.key_value(memory_TD)
        if packing.spelled_out and torch.is_grad_enabled():
            mixed_TD = attend(*projected, packing, self.heads, self.causal, dropped)
        else:
            mixed_TD = attend_by_torch(*projected, packing, self.heads, self.causal, dropped)
        return self.output(mixed_TD)


class FeedForward(nn.Module):
    """Two position-wise linear layers with an activation between."""

    def __init__(self, width: int, hidden: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.activation = ACTIVATIONS[activation]
        self.dropout = dropout

    def forward(self, x_TD: Tensor) -> Tensor:
        """Transform (T, d) to (T, d)."""
        hidden = dropout(self.activation(self.expand(x_TD)), self.dropout, self.training)
        return dropout(self.contract(hidden), self.dropout, self.training)
