"""Dropout and an embedding table that are faster on a CPU than torch's own; normalisers of softmax attention.

Both return log Σ exp(logit). `of_tokens` is the normaliser of each token of the history, `before` that of the
items before a candidate (−inf if there are none, so that a lone candidate has weight 1). Suffixes as in
`batch`; P is the number of attention parts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from grasp_bench.models.batch import Candidates
from grasp_bench.models.layout import Layout

LEVELS = 1 << 16
DRAWS_PER_WORD = 4  # of 16 bits, in an int64


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Zero elements with the given probability and scale the others up; identity outside training.

    On a CPU torch's dropout is bound by its Bernoulli sampler, a fifth of a SASRec step. Here each element
    compares 16 random bits to the keep probability, which is rounded to 1/65536 (never to 0 or 1);
    the scale uses the rounded value, so the expectation is exact.
    """
    if not training or probability == 0.0:
        return x
    if x.device.type != "cpu" or torch.compiler.is_compiling():  # the compiler fuses its own draws
        return F.dropout(x, probability)
    return x * keep(x, probability)


def keep(x: Tensor, probability: float) -> Tensor:
    """Draw the factors of dropout for `x` on the CPU: 0, or the scale of kept elements."""
    kept_levels = min(max(round((1.0 - probability) * LEVELS), 1), LEVELS - 1)
    words = torch.empty(-(-x.numel() // DRAWS_PER_WORD), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: x.numel()].view(x.shape)
    # Compare straight into floats: a bool in between makes it five times as slow.
    kept = torch.empty(x.shape, dtype=x.dtype)
    torch.lt(draws, kept_levels - LEVELS // 2, out=kept)
    return kept.mul_(LEVELS / kept_levels)


class RowTable(nn.Embedding):
    """An `nn.Embedding` whose backward pass adds rows into the existing gradient.

    torch's own clears a fresh gradient as large as the table at each use, three times a step. Here the
    gradient is one buffer, kept from step to step by `zero_grad(set_to_none=False)`. Only `backward()` fills
    it: `torch.autograd.grad` of the weight does not see the gradient.

    Attributes:
        sparse: gradients are sparse tensors of the looked-up rows (`training.optimizer: sparse_adam`), so
            that the time of a step does not grow with the table.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """Look up the vectors (…, d) of the rows (…)."""
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


# A finite logit whose exponential is 0: with −inf, gradients would be NaN where all logits are hidden.
ABSENT = -1e4


class PrefixNormaliser:
    """Normalises position t over 0..t: causal, and the same weight as when it was a candidate."""

    def of_tokens(self, logits_TP: Tensor, layout: Layout) -> Tensor:
        """(T, P)."""
        padded_BLP = layout.pad(logits_TP)
        return layout.unpad(padded_BLP.logcumsumexp(dim=1))

    def before(self, logits_TP: Tensor, layout: Layout, candidates: Candidates) -> Tensor:
        """Return (S, P), over the first `prior_S` items."""
        totals_TP = self.of_tokens(logits_TP, layout)
        last_S = layout.starts_B[candidates.sequence_S] + candidates.prior_S - 1
        alone_S = candidates.prior_S == 0
        totals_SP = totals_TP[last_S.clamp_min(0)]
        return totals_SP.masked_fill(alone_S[:, None], -torch.inf)


class SequenceNormaliser:
    """Normalises every position over the whole sequence, later items included, as published."""

    def of_tokens(self, logits_TP: Tensor, layout: Layout) -> Tensor:
        """(T, P)."""
        return self._totals(logits_TP, layout)[layout.sequence_T]

    def before(self, logits_TP: Tensor, layout: Layout, candidates: Candidates) -> Tensor:
        """Return (S, P), over the whole sequence for any `prior_S`."""
        return self._totals(logits_TP, layout)[candidates.sequence_S]

    def _totals(self, logits_TP: Tensor, layout: Layout) -> Tensor:
        hidden = ~layout.mask()[:, :, None]
        return layout.pad(logits_TP).masked_fill(hidden, -torch.inf).logsumexp(dim=1)
