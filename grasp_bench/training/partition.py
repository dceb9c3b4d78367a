"""Compute the mean of log Σ exp(score) over a catalogue, in bounded memory.

Shape suffixes: S positions, m items, D width, C positions of a chunk, N items of a block.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.utils.checkpoint import checkpoint

SCORES_AT_ONCE = 1 << 20  # 4 MB: near a CPU's caches
SCORES_AT_ONCE_GPU = 1 << 26


def mean_log_partition(states_SD: Tensor, vectors_mD: Tensor) -> Tensor:
    """Mean over states of log Σ exp(state · vector), a scalar; in float32 also under autocast."""
    return _MeanLogPartition.apply(states_SD.float(), vectors_mD.float())


class _MeanLogPartition(torch.autograd.Function):
    """Computes the gradient in the forward pass, so that no scores outlive their chunk.

    Each state weighs 1/S: softmax(s) V / S for the states, softmax(s)ᵀ states / S for the vectors.

    A chunk is as many states as `SCORES_AT_ONCE` allows against all items, at least one: 4 bytes an item.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, states_SD: Tensor, vectors_mD: Tensor) -> Tensor:
        count, items = states_SD.shape[0], vectors_mD.shape[0]
        scores_at_once = SCORES_AT_ONCE if states_SD.device.type == "cpu" else SCORES_AT_ONCE_GPU
        chunk = max(1, min(count, scores_at_once // items))
        needed = ctx.needs_input_grad  # type: ignore[attr-defined]
        grad_SD = torch.empty_like(states_SD) if any(needed) else None
        grad_mD = torch.zeros_like(vectors_mD) if any(needed) else None
        total = states_SD.new_zeros(())
        buffer = states_SD.new_empty(chunk, items)
        for start in range(0, count, chunk):
            states_CD = states_SD[start : start + chunk]
            scores_Cm = torch.mm(states_CD, vectors_mD.T, out=buffer[: len(states_CD)])
            largest_C1 = scores_Cm.amax(1, keepdim=True)
            scores_Cm.sub_(largest_C1).exp_()
            sums_C1 = scores_Cm.sum(1, keepdim=True)
            total += (sums_C1.log() + largest_C1).sum()
            if grad_SD is not None and grad_mD is not None:
                scores_Cm.mul_(1 / (count * sums_C1))
                torch.mm(scores_Cm, vectors_mD, out=grad_SD[start : start + chunk])
                grad_mD.addmm_(scores_Cm.T, states_CD)
        ctx.grads = grad_SD, grad_mD  # type: ignore[attr-defined]
        return total / count

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor]:
        grad_SD, grad_mD = ctx.grads  # type: ignore[attr-defined]
        ctx.grads = None  # type: ignore[attr-defined]
        return grad_SD.mul_(grad), grad_mD.mul_(grad)


def mean_log_partition_in_blocks(
    scores_of: Callable[[Tensor, Tensor], Tensor], states_SD: Tensor, num_items: int, block: int
) -> Tensor:
    """The same if item vectors depend on the user; `scores_of` (states, items (N,)) gives (S, N).

    The backward pass scores blocks of items again instead of keeping them.
    """

    def partition(states_SD: Tensor, items_N: Tensor) -> Tensor:
        return scores_of(states_SD, items_N).float().logsumexp(1)

    blocks = torch.arange(num_items, device=states_SD.device).split(block)
    parts = [
        checkpoint(partition, states_SD, items_N, use_reentrant=False, preserve_rng_state=False)
        for items_N in blocks
    ]
    return torch.stack(parts).logsumexp(0).mean()
