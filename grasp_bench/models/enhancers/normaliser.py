"""Normalisers of softmax attention: over the positions before, or over the whole sequence.

Both return log Σ exp(logit). `of_tokens` is the normaliser of each token of the history, `before` that of the
items before a candidate (−inf if there are none, so that a lone candidate has weight 1). Suffixes as in
`batch`; P is the number of attention parts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grasp_bench.models.batch import Candidates
from grasp_bench.models.layout import Layout

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
