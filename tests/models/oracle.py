"""Equations 3-5 of arXiv 2511.20177 written down as they stand, padded, one user at a time.

Nothing of grasp_bench.models is used: this is what the factorised form is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def attention_weight(query: Tensor, value: Tensor) -> Tensor:
    """The logit of eq. 3: q·v / √(width of q)."""
    return (query * value).sum(-1) / math.sqrt(query.shape[-1])


def enhanced(
    u: Tensor, u_bar: Tensor, i: Tensor, i_bar: Tensor, parts: Sequence[str], weight: str, scale: float = 1.0
) -> Tensor:
    """[self ‖ similar ‖ global] for one user and items (L, D), with `weight` over the L positions."""
    u, u_bar = u.expand_as(i), u_bar.expand_as(i_bar)
    pairs = {
        "self": (u, i),
        "similar": (u_bar, i_bar),
        "global": (torch.cat([u, u_bar], -1), torch.cat([i, i_bar], -1)),
    }
    found = []
    for part in parts:
        q, v = pairs[part]
        logit = attention_weight(q, v) * scale
        if weight == "sigmoid":
            a = torch.sigmoid(logit)
        elif weight == "softmax":
            a = torch.softmax(logit, dim=0)
        else:
            a = torch.ones_like(logit)
        found.append(a[:, None] * v)
    return torch.cat(found, dim=-1)


def mlp(x: Tensor, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Linear layers with ReLU between them."""
    for k, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if k + 1 < len(layers):
            x = torch.relu(x)
    return x
