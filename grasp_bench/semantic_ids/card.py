"""The card of semantic IDs: how many collide, how codes are used, and what is left of the vectors.

Shape suffixes: m items, L levels, Q queries.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS = 10
QUERIES = 1000


def card(made_mL: Tensor, codes_mL: Tensor, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Describe codes: `made_mL` before collisions were resolved, `codes_mL` after, `sizes` of its levels."""
    distinct, counts = made_mL.unique(dim=0, return_counts=True)
    collided = int(counts[counts > 1].sum())
    return {
        "items": len(codes_mL),
        "levels": codes_mL.shape[1],
        "codes": list(sizes),
        "collided_items": collided,
        "collided_share": round(collided / len(codes_mL), 6),
        "largest_collision": int(counts.max()),
        "sharing_three": int(counts[counts >= 3].sum()),
        "distinct": len(codes_mL.unique(dim=0)),
        "distinct_made": len(distinct),
        "used": [len(level.unique()) for level in codes_mL.T],
        "perplexity": [round(perplexity(level), 3) for level in codes_mL.T],
    }


def perplexity(codes_m: Tensor) -> float:
    """Return 2 to the entropy of the codes of a level: how many codes there would be, all used alike."""
    shares = torch.bincount(codes_m).double() / len(codes_m)
    shares = shares[shares > 0]
    return float((-(shares * shares.log()).sum()).exp())


def fidelity(vectors_mD: Tensor, rebuilt_mD: Tensor, generator: torch.Generator) -> dict[str, Any]:
    """Compare vectors with those that their codes stand for: error as a share of the variance, and the
    share of each item's nearest neighbours (by cosine) that are still among its nearest, on a sample of
    items. None where vectors do not vary, or an item is alone."""
    spread = float((vectors_mD - vectors_mD.mean(0)).square().sum())
    error = float((vectors_mD - rebuilt_mD).square().sum())
    queries_Q = torch.randperm(len(vectors_mD), generator=generator)[:QUERIES]
    neighbours = min(NEIGHBOURS, len(vectors_mD) - 1)
    before, after = (_nearest(each, queries_Q, neighbours) for each in (vectors_mD, rebuilt_mD))
    shared = (before[:, :, None] == after[:, None, :]).any(2).double().mean()
    return {
        "reconstruction_error": round(error / spread, 6) if spread > 0 else None,
        "neighbours_kept": round(float(shared), 6) if neighbours else None,
        "neighbours": neighbours,
    }


def _nearest(vectors_mD: Tensor, queries_Q: Tensor, neighbours: int) -> Tensor:
    units_mD = F.normalize(vectors_mD, dim=1)
    found = []
    for block in queries_Q.split(128):
        scores = units_mD[block] @ units_mD.T
        scores.scatter_(1, block[:, None], -torch.inf)
        found.append(scores.topk(neighbours, dim=1).indices)
    return torch.cat(found)
