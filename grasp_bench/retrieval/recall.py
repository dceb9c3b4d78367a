"""How many of the true neighbours a table holds, on a sample of queries."""

from __future__ import annotations

import numpy as np
import torch

from grasp_bench.retrieval.exact import nearest_of
from grasp_bench.retrieval.ordering import NOBODY, rounded

BLOCK_SCORES = 2**24


def recall_at_n(units: np.ndarray, indices: np.ndarray, sample: int, seed: int) -> float | None:
    """Share of the table's neighbours that are as near as the exact N-th, mean over sampled queries.

    Judged by similarity and not by number, so that one clone is as good as another. None when
    `sample` is 0 or nobody has a neighbour. `units` (n, D) of unit norm, `indices` (n, N), unrestricted.
    """
    n, k = len(units), min(indices.shape[1], len(units) - 1)
    if sample == 0 or k == 0:
        return None
    queries = np.sort(np.random.default_rng(seed).choice(n, size=min(sample, n), replace=False))
    vectors = torch.from_numpy(units)
    step = max(1, BLOCK_SCORES // n)
    hits = 0
    for at in range(0, len(queries), step):
        rows = torch.from_numpy(queries[at : at + step])
        _, exact = nearest_of(vectors, rows, k)
        table = torch.from_numpy(indices[rows.numpy(), :k].astype(np.int64))
        near = (vectors[rows][:, None, :] * vectors[table.clamp(min=0)]).sum(-1)
        # Two units of slack: this sum and the matrix product round differently.
        good = (rounded(near) >= rounded(exact[:, -1:]) - 2) & (table != NOBODY)
        hits += int(good.sum())
    return float(hits / (len(queries) * k))
