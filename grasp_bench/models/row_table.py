"""A table of trained vectors whose rows are looked up: items, positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable


class RowTable(nn.Embedding):
    """An `nn.Embedding` whose backward pass adds rows into the gradient that is there.

    torch's own clears a fresh gradient as large as the table at each use, three times a step. Here the
    gradient is one buffer, kept from step to step by `zero_grad(set_to_none=False)`. So the gradient reaches
    `weight.grad` alone, by `backward()`: `torch.autograd.grad` of the weight does not see it.

    Attributes:
        sparse: gradients are sparse tensors of the rows that were looked up (`training.optimizer:
            sparse_adam`), so that a step does not grow with the table.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors (…, d) of the rows (…)."""
        if self.sparse or not (torch.is_grad_enabled() and self.weight.requires_grad):
            return F.embedding(rows, self.weight, sparse=self.sparse)
        return _Lookup.apply(self.weight, rows)


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, weight: Tensor, rows: Tensor) -> Tensor:
        ctx.weight, ctx.rows = weight, rows  # type: ignore[attr-defined]
        return weight.index_select(0, rows.flatten()).view(*rows.shape, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[None, None]:
        weight, rows = ctx.weight, ctx.rows  # type: ignore[attr-defined]
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        weight.grad.index_add_(0, rows.flatten(), grad.reshape(-1, weight.shape[1]).to(weight.dtype))
        return None, None
