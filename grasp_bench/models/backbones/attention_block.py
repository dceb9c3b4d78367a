"""A pre-norm transformer block on unpadded tokens, shared by SASRec and BERT4Rec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.dropout import dropout
from grasp_bench.models.layout import Layout

Activation = Literal["relu", "gelu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class SelfAttention(nn.Module):
    """Multi-head self-attention by SDPA, on one padded rectangle per bucket of similar lengths."""

    def __init__(self, width: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, query_TD: Tensor, memory_TD: Tensor, layout: Layout) -> Tensor:
        """(T, d) queries attend to (T, d) memory of their own sequence."""
        qkv_T3D = torch.cat([self.query(query_TD), self.key_value(memory_TD)], dim=-1)
        mixed_TD = torch.empty_like(query_TD)
        side_by_side: list[Tensor] = []
        for tokens_t, bucket in layout.by_length():
            if isinstance(tokens_t, slice):
                side_by_side.append(self._attend(qkv_T3D[tokens_t], bucket))
            else:
                mixed_td = self._attend(qkv_T3D.index_select(0, tokens_t), bucket)
                mixed_TD = mixed_TD.index_copy(0, tokens_t, mixed_td)
        return self.output(torch.cat(side_by_side) if side_by_side else mixed_TD)

    def _attend(self, qkv_T3D: Tensor, layout: Layout) -> Tensor:
        q_BHLD, k_BHLD, v_BHLD = (self._heads(part) for part in layout.pad(qkv_T3D).chunk(3, dim=-1))
        # Padding lies behind the tokens, so a causal mask alone already hides it from them.
        mask = None if self.causal or layout.is_rectangle else layout.mask()[:, None, None, :]
        mixed_BHLD = F.scaled_dot_product_attention(
            q_BHLD, k_BHLD, v_BHLD, attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0, is_causal=self.causal,
        )  # fmt: skip
        return layout.unpad(mixed_BHLD.transpose(1, 2).flatten(2))

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two position-wise linear layers with an activation between."""

    def __init__(self, width: int, hidden: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.activation = ACTIVATIONS[activation]
        self.dropout = dropout

    def forward(self, x_TD: Tensor) -> Tensor:
        """(T, d) to (T, d)."""
        hidden = dropout(self.activation(self.expand(x_TD)), self.dropout, self.training)
        return dropout(self.contract(hidden), self.dropout, self.training)
