"""Scores of items with user-dependent vectors, relu(Σ_p w_p A_p + b) · q, in memory for a few users.

Shape suffixes: S states, B users (in the order of a `Packing`), b users of a block, s slots of each, N items,
P parts of the attention, H hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from grasp_bench.models.packing import Packing

FLOATS_AT_ONCE = 1 << 19  # of the hidden layer: 2 MB, near a CPU's caches
FLOATS_AT_ONCE_GPU = 1 << 26


def user_scores(
    query_SH: Tensor, weights_BNP: Tensor, projected_NPH: Tensor, bias_H: Tensor, packing: Packing
) -> Tensor:
    """Return scores (S, N) of N items under S queries.

    A user's hidden layer is computed once for all its queries, and again in the backward pass, not kept.
    """
    return _UserScores.apply(query_SH, weights_BNP, projected_NPH, bias_H, packing)


class _UserScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, query_SH: Tensor, weights_BNP: Tensor, projected_NPH: Tensor, bias_H: Tensor,
        packing: Packing,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(query_SH, weights_BNP, projected_NPH, bias_H)
        ctx.packing = packing  # type: ignore[attr-defined]
        query_PH = packing.pad(query_SH)
        scores_PN = query_SH.new_empty(packing.slots, projected_NPH.shape[0])
        for slots, users, each in _blocks(packing, projected_NPH):
            hidden_bNH = _hidden(weights_BNP[users], projected_NPH, bias_H)
            query_bsH = query_PH[slots].view(-1, each, query_PH.shape[1])
            scores_bsN = scores_PN[slots].view(-1, each, scores_PN.shape[1])
            torch.bmm(query_bsH, hidden_bNH.transpose(1, 2), out=scores_bsN)
        return packing.unpad(scores_PN)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_SN: Tensor) -> tuple[Tensor | None, ...]:
        query_SH, weights_BNP, projected_NPH, bias_H = ctx.saved_tensors  # type: ignore[attr-defined]
        packing = ctx.packing  # type: ignore[attr-defined]
        learns_weights = ctx.needs_input_grad[1]  # type: ignore[attr-defined]
        query_PH = packing.pad(query_SH)
        grad_PN = packing.pad(grad_SN).mul_(packing.valid_P[:, None])  # empty slots have no gradient
        grad_query_PH = torch.empty_like(query_PH)
        grad_projected, grad_bias_H = torch.zeros_like(projected_NPH), torch.zeros_like(bias_H)
        grad_weights = torch.empty_like(weights_BNP) if learns_weights else None
        for slots, users, each in _blocks(packing, projected_NPH):
            weights_bNP = weights_BNP[users]
            hidden_bNH = _hidden(weights_bNP, projected_NPH, bias_H)
            grad_bsN = grad_PN[slots].view(-1, each, grad_PN.shape[1])
            query_bsH = query_PH[slots].view(-1, each, query_PH.shape[1])
            torch.bmm(grad_bsN, hidden_bNH, out=grad_query_PH[slots].view_as(query_bsH))
            grad_hidden = torch.bmm(grad_bsN.transpose(1, 2), query_bsH).mul_(hidden_bNH.sign_())
            grad_bias_H += grad_hidden.sum((0, 1))
            grad_hidden_NbH = grad_hidden.transpose(0, 1)
            grad_projected.baddbmm_(weights_bNP.permute(1, 2, 0), grad_hidden_NbH)
            if grad_weights is not None:
                seen_NbP = torch.bmm(grad_hidden_NbH, projected_NPH.transpose(1, 2))
                grad_weights[users] = seen_NbP.transpose(0, 1)
        return packing.unpad(grad_query_PH), grad_weights, grad_projected, grad_bias_H, None


def _blocks(packing: Packing, projected_NPH: Tensor) -> Iterator[tuple[slice, slice, int]]:
    """Yield slots and users of a block, and the number of slots of each user."""
    items, _, width = projected_NPH.shape
    floats = FLOATS_AT_ONCE if projected_NPH.device.type == "cpu" else FLOATS_AT_ONCE_GPU
    at_once = max(1, floats // (items * width))
    user = 0
    for first, size, count in packing.classes:
        for start in range(0, count, at_once):
            several = min(at_once, count - start)
            begin = first + start * size
            yield slice(begin, begin + several * size), slice(user, user + several), size
            user += several


def _hidden(weights_bNP: Tensor, projected_NPH: Tensor, bias_H: Tensor) -> Tensor:
    """Return the hidden layer (b, N, H)."""
    users, items, parts = weights_bNP.shape
    bags = torch.arange(items * parts, device=weights_bNP.device).view(items, parts).repeat(users, 1)
    hidden = F.embedding_bag(
        bags, projected_NPH.flatten(0, 1), per_sample_weights=weights_bNP.reshape(-1, parts), mode="sum"
    )
    return hidden.add_(bias_H).relu_().view(users, items, -1)
