"""Self-attention and feed-forward layers on unpadded tokens, shared by SASRec and BERT4Rec.

Shape suffixes: T tokens, P slots, R rows of W slots, H heads, D width of all heads, d of one (D = H · d).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from grasp_bench.models.layers import dropout, keep
from grasp_bench.models.layout import Layout, Packing


def attend_by_torch(
    query_TD: Tensor, key_value_T2D: Tensor, packing: Packing, heads: int, causal: bool, dropped: float
) -> Tensor:
    """Attend with torch's own kernels, whose memory grows with W and not with W²; return values (T, D)."""
    queries = packing.rows(packing.pad(query_TD))
    keys_values = packing.rows(packing.pad(key_value_T2D))
    mixed = []
    for number, (query_RWD, key_value_RW2D) in enumerate(zip(queries, keys_values, strict=True)):
        key_RWD, value_RWD = key_value_RW2D.chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query_RWD, key_RWD, value_RWD))
        # A sequence alone in its row needs only the causal mask: all slots after its tokens are padding.
        bare = causal and packing.tiers[number].alone
        mask = None if bare else packing.mask(number, causal)[:, None].to(q.dtype)
        mixed_RHWd = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropped, is_causal=bare
        )
        mixed.append(mixed_RHWd.transpose(1, 2).flatten(2).flatten(0, 1))
    return packing.unpad(torch.cat(mixed) if len(mixed) > 1 else mixed[0])


def attend(
    query_TD: Tensor, key_value_T2D: Tensor, packing: Packing, heads: int, causal: bool, dropped: float
) -> Tensor:
    """Attend for training on a CPU, where torch's dropout takes a path of many small operations."""
    return _Attend.apply(query_TD, key_value_T2D, packing, heads, causal, dropped)


class _Attend(torch.autograd.Function):
    """Attention with explicit forward and backward passes, including the gathering of tokens.

    Empty slots repeat a token. Their weights are zeroed together with those that dropout zeroes, so their
    gradients are zero too, and gradients can be gathered where torch would have to add.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, query_TD: Tensor, key_value_T2D: Tensor, packing: Packing, heads: int, causal: bool,
        dropped: float,
    ) -> Tensor:  # fmt: skip
        queries = packing.rows(packing.pad(query_TD))
        keys_values = packing.rows(packing.pad(key_value_T2D))
        valids = packing.rows(packing.valid_P[:, None])
        kept: list[tuple[Tensor, ...]] = []
        mixed: list[Tensor] = []
        for number, (query_RWD, key_value_RW2D, valid_RW1) in enumerate(
            zip(queries, keys_values, valids, strict=True)
        ):
            mask_RWW = packing.mask(number, causal)
            q, k, v = (_by_head(x, heads) for x in (query_RWD, *key_value_RW2D.chunk(2, dim=-1)))
            mask, valid = (
                x if heads == 1 else x.repeat_interleave(heads, dim=0) for x in (mask_RWW, valid_RW1)
            )
            scores = torch.baddbmm(mask.to(q.dtype), q, k.transpose(1, 2), alpha=1 / math.sqrt(q.shape[-1]))
            weights = scores.softmax(-1)
            # Factors of dropout; zero in the rows of empty slots.
            factors = keep(weights, dropped).mul_(valid) if dropped else valid.to(q.dtype)
            dropped_weights = weights * factors
            mixed.append(_together(torch.bmm(dropped_weights, v), heads))
            kept.append((q, k, v, weights, factors, dropped_weights))
        ctx.kept, ctx.packing, ctx.heads = kept, packing, heads  # type: ignore[attr-defined]
        return packing.unpad(torch.cat(mixed) if len(mixed) > 1 else mixed[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_TD: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        packing, heads = ctx.packing, ctx.heads  # type: ignore[attr-defined]
        parts: list[tuple[Tensor, ...]] = []
        grads = packing.rows(packing.pad(grad_TD))
        for grad_RWD, (q, k, v, weights, factors, dropped_weights) in zip(
            grads, ctx.kept, strict=True  # type: ignore[attr-defined]
        ):  # fmt: skip
            grad = _by_head(grad_RWD, heads)
            grad_v = torch.bmm(dropped_weights.transpose(1, 2), grad)
            grad_weights = torch.bmm(grad, v.transpose(1, 2)).mul_(factors)
            grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
            grad_scores.mul_(1 / math.sqrt(q.shape[-1]))
            grad_q, grad_k = torch.bmm(grad_scores, k), torch.bmm(grad_scores.transpose(1, 2), q)
            parts.append(tuple(_together(x, heads) for x in (grad_q, grad_k, grad_v)))
        ctx.kept = None  # type: ignore[attr-defined]
        grad_q, grad_k, grad_v = (
            packing.unpad(torch.cat(each) if len(each) > 1 else each[0]) for each in zip(*parts, strict=True)
        )
        return grad_q, torch.cat([grad_k, grad_v], dim=1), None, None, None, None


def _by_head(x_RWD: Tensor, heads: int) -> Tensor:
    """Split heads: (R, W, D) to (R · H, W, d)."""
    if heads == 1:
        return x_RWD
    rows, slots, width = x_RWD.shape
    return x_RWD.view(rows, slots, heads, -1).transpose(1, 2).reshape(rows * heads, slots, width // heads)


def _together(x: Tensor, heads: int) -> Tensor:
    """Join heads: (R · H, W, d) to (R · W, D)."""
    if heads > 1:
        x = x.view(-1, heads, *x.shape[1:]).transpose(1, 2).flatten(2)
    return x.flatten(0, 1)


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
