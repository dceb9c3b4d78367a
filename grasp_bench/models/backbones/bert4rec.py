"""BERT4Rec: bidirectional transformer trained by filling in masked items (Sun et al., CIKM 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import FeedForward, SelfAttention
from grasp_bench.models.backbones.base import Backbone, initialise
from grasp_bench.models.layers import RowTable, dropout
from grasp_bench.models.layout import Layout


class BERT4Rec(Backbone):
    """Post-norm transformer with GELU, feed-forward of width 4d and a projection before the items.

    At inference a mask follows the history, and its state predicts the next item. Positions are counted from
    the end, as with padding at the left: the mask is always at position 0.

    Args:
        mask_probability: share of positions masked in training (ρ of the paper).
    """

    causal = False
    masked_training = True

    def __init__(
        self, width: int, max_len: int, blocks: int = 2, heads: int = 1, dropout: float = 0.5,
        mask_probability: float = 0.6,
    ) -> None:  # fmt: skip
        super().__init__()
        self.max_len = max_len
        self.dropout = dropout
        self.mask_probability = mask_probability
        self.mask = nn.Parameter(torch.empty(1, width))
        self.positions = RowTable(max_len, width)
        self.input_norm = nn.LayerNorm(width)
        self.attentions = nn.ModuleList(SelfAttention(width, heads, dropout, False) for _ in range(blocks))
        self.attention_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.forwards = nn.ModuleList(FeedForward(width, 4 * width, dropout, "gelu") for _ in range(blocks))
        self.forward_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.output = nn.Linear(width, width)
        initialise(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> BERT4Rec:
        """Build from `spec.model.Model.effective()`."""
        return cls(
            settings["embedding_dim"], settings["max_len"], settings["blocks"], settings["heads"],
            settings["dropout"], settings["mask_probability"],
        )  # fmt: skip

    def forward(self, x_TD: Tensor, layout: Layout) -> Tensor:
        """Turn item vectors (T, d), masks among them, into states (T, d)."""
        x_TD = self.input_norm(x_TD + self.positions(layout.from_end_T()))
        x_TD = dropout(x_TD, self.dropout, self.training)
        for attention, attention_norm, feed_forward, forward_norm in zip(
            self.attentions, self.attention_norms, self.forwards, self.forward_norms, strict=True
        ):
            attended_TD = dropout(attention(x_TD, x_TD, layout), self.dropout, self.training)
            x_TD = attention_norm(x_TD + attended_TD)
            x_TD = forward_norm(x_TD + feed_forward(x_TD))
        return F.gelu(self.output(x_TD))

    def hide(self, x_TD: Tensor, masked_T: Tensor) -> Tensor:
        """Replace the vectors of masked tokens (bool, (T,)) by the mask's."""
        return torch.where(masked_T[:, None], self.mask.to(x_TD.dtype), x_TD)

    def prepare_history(self, x_TD: Tensor, layout: Layout) -> tuple[Tensor, Layout]:
        """Append a mask to each history; a full-length one loses its oldest item."""
        with_room, is_mask_T, extended = layout.one_more(x_TD, self.max_len)
        return self.hide(with_room, is_mask_T), extended
