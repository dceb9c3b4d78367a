"""InfoNCE: tell the right target from the batch's others (van den Oord et al., 2018)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def info_nce(anchors_PD: Tensor, targets_PD: Tensor, owners_P: Tensor, temperature: float) -> Tensor:
    """Mean of −log(exp(cos(a_i, t_i)/τ) / Σ_j exp(cos(a_i, t_j)/τ)) over P pairs.

    `owners_P` says what each pair is about: another pair about the same entity is no negative.
    """
    # In float32 also under autocast: cosines over a small temperature want more than three digits.
    anchors, targets = (F.normalize(side.float(), dim=-1) for side in (anchors_PD, targets_PD))
    logits_PP = anchors @ targets.T / temperature
    same_PP = owners_P[:, None] == owners_P
    same_PP.fill_diagonal_(False)
    logits_PP = logits_PP.masked_fill(same_PP, float("-inf"))
    return (logits_PP.logsumexp(dim=1) - logits_PP.diagonal()).mean()
