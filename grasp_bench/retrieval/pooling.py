"""Means of the neighbours' embeddings, Ū and Ī of the paper's eq. 2."""

from __future__ import annotations

import numpy as np

from grasp_bench.retrieval.ordering import NOBODY

BLOCK_BYTES = 64 * 2**20


def pooled_means(vectors: np.ndarray, indices: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """Mean over the neighbours that exist of their embeddings as they are, (rows, D) float32.

    `vectors` (n, D), `indices` (rows, N) with -1 for nobody. An entity without any neighbour stands for
    itself: its own embedding keeps the scale of the others, where a zero vector would be scored as
    if it meant something. `own` (q, D) are the rows' own embeddings where rows are not the entities
    themselves. Blocks bound the memory.
    """
    own = vectors if own is None else own
    n, dim = own.shape
    pooled = np.empty((n, dim), dtype=np.float32)
    step = max(1, BLOCK_BYTES // (4 * dim))
    for start in range(0, n, step):
        block = indices[start : start + step]
        total = np.zeros((len(block), dim), dtype=np.float32)
        for column in block.T:
            there = column != NOBODY
            total[there] += vectors[column[there]]
        count = (block != NOBODY).sum(axis=1)
        alone = count == 0
        total[alone] = own[start : start + step][alone]
        pooled[start : start + step] = total / np.maximum(count, 1)[:, None].astype(np.float32)
    return pooled
