"""Pairs of user and item as one number, and which of them full ranking leaves out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_bench.evaluation.queries import Queries

Ints = NDArray[np.int64]


def hidden_pairs(queries: Queries, num_items: int, exclude_history: bool) -> Ints:
    """Known pairs user · m + item that are no candidates, ascending; a target is one even if it is known."""
    if not exclude_history:
        return np.empty(0, dtype=np.int64)
    users = torch.repeat_interleave(torch.arange(len(queries.offsets) - 1), queries.offsets.diff().cpu())
    targets = queries.users_Q.cpu() * num_items + queries.targets_Q.cpu()
    return np.setdiff1d((users * num_items + queries.items_flat.cpu()).numpy(), targets.numpy())


def pool_sizes(queries: Queries, num_items: int, hidden: Ints) -> Ints:
    """How many items each target is ranked among in full ranking, itself included: (Q,)."""
    per_user = np.bincount(hidden // num_items, minlength=len(queries.offsets) - 1)
    return np.asarray(num_items - per_user[queries.users_Q.cpu().numpy()])
