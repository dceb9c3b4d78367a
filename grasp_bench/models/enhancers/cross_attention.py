"""Cross-attention between the two views of LLM-ESR."""

from __future__ import annotations

import math

from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import SelfAttention
from grasp_bench.models.layout import Layout
from grasp_bench.models.row_table import RowTable


class CrossAttention(nn.Module):
    """A view's items are weighed as the other view's items of the same sequence ask.

        ĉ = softmax(QKᵀ/√d_k) V   with Q of s, and K and V of c;   ŝ with the two exchanged

    The paper says no more. Here: learned positions, counted from the end and shared by both
    views, are added to vectors scaled by √d before projecting, as released; what comes out is scaled
    back, since backbones scale for themselves. A position attends to earlier ones only when the backbone
    does. `residual` adds a view's own vectors again, which neither the paper nor its code does.
    """

    def __init__(
        self, width: int, max_len: int, heads: int, dropout: float, causal: bool, residual: bool
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.residual = residual
        self.positions = RowTable(max_len, width)
        self.first_to_second = SelfAttention(width, heads, dropout, causal)
        self.second_to_first = SelfAttention(width, heads, dropout, causal)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                nn.init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, views: list[Tensor], layout: Layout) -> list[Tensor]:
        """Two views (T, d) to two views (T, d)."""
        positions_TD = self.positions(layout.from_end_T())
        placed = [view * self.scale + positions_TD for view in views]
        mixed = [
            self.second_to_first(placed[1], placed[0], layout) / self.scale,
            self.first_to_second(placed[0], placed[1], layout) / self.scale,
        ]
        return [view + new for view, new in zip(views, mixed, strict=True)] if self.residual else mixed
