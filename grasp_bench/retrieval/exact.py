"""Search exactly by blocked matrix products, and measure the recall of other searches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from grasp_bench.retrieval.neighbours import (
    NOBODY,
    Neighbours,
    Progress,
    SearchSettings,
    nearest_first,
    no_progress,
    rounded,
)

# Score block, its copy in top-k, and int64 keys of the rows that have ties at the edge.
BYTES_PER_SCORE = 4 + 4 + 8 + 8

BLOCK_SCORES = 2**24


class ExactSearcher:
    """Compare every pair, in blocks that `settings.memory_mb` bounds without changing the result."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings

    def search(self, units: np.ndarray, progress: Progress = no_progress) -> Neighbours:
        """Find the neighbours of all rows of (n, D) unit vectors among themselves."""
        n = len(units)
        found = Neighbours.nobody(n, self._settings.num_neighbours)
        vectors = torch.from_numpy(units).to(self._settings.device)
        step = max(1, self._settings.memory_mb * 2**20 // (n * BYTES_PER_SCORE))
        for start in range(0, n, step):
            rows = torch.arange(start, min(start + step, n), device=vectors.device)
            indices, similarities = nearest_of(vectors, rows, self._settings.num_neighbours)
            width = indices.shape[1]
            found.indices[start : start + len(rows), :width] = indices.cpu().numpy()
            found.similarities[start : start + len(rows), :width] = similarities.cpu().numpy()
            progress(start + len(rows))
        return found


def nearest_of(vectors_ND: Tensor, rows_B: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find indices and cosines (B, min(k, N - 1)) of the nearest others of some rows, nearest first."""
    n = len(vectors_ND)
    k = min(k, n - 1)
    if k == 0:
        empty = torch.empty(len(rows_B), 0, device=vectors_ND.device)
        return empty.long(), empty
    scores_BN = vectors_ND[rows_B] @ vectors_ND.T
    # Exclude an entity by its number: a clone of it has the same similarity and stays.
    scores_BN[torch.arange(len(rows_B), device=rows_B.device), rows_B] = -torch.inf
    similarities_BK, indices_BK = scores_BN.topk(min(k + 1, n - 1), dim=1)
    if k + 1 <= n - 1:
        edge = rounded(similarities_BK[:, k - 1 : k + 1])
        tied = (edge[:, 0] == edge[:, 1]).nonzero().squeeze(1)
        similarities_BK, indices_BK = similarities_BK[:, :k].clone(), indices_BK[:, :k].clone()
        if len(tied):
            chosen = _lowest_numbers_win(scores_BN[tied], k)
            indices_BK[tied] = chosen
            similarities_BK[tied] = scores_BN[tied].gather(1, chosen)
    indices_BK, similarities_BK = nearest_first(indices_BK, similarities_BK)
    return indices_BK, similarities_BK.clamp_(-1.0, 1.0)


def _lowest_numbers_win(scores_TN: Tensor, k: int) -> Tensor:
    """Top k by similarity and number combined into one integer, so that no two are equal."""
    n = scores_TN.shape[1]
    keys = rounded(scores_TN.clamp(min=-2.0)) * n + torch.arange(n - 1, -1, -1, device=scores_TN.device)
    return keys.topk(k, dim=1).indices


def nearest_among(
    entities: np.ndarray, queries: np.ndarray, owners: np.ndarray, settings: SearchSettings,
    progress: Progress = no_progress,
) -> Neighbours:  # fmt: skip
    """Find the nearest of (n, D) unit vectors to each query (Q, D), without the row's own entity (Q,).

    The search is exact. Blocks bound the memory; among equal similarities at the edge torch's top-k decides.
    """
    n, count = len(entities), min(settings.num_neighbours, len(entities) - 1)
    found = Neighbours.nobody(len(queries), settings.num_neighbours)
    if count < 1:
        return found
    table = torch.from_numpy(entities).to(settings.device)
    step = max(1, settings.memory_mb * 2**20 // (n * BYTES_PER_SCORE))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        scores = torch.from_numpy(queries[block]).to(settings.device) @ table.T
        own = torch.from_numpy(owners[block].astype(np.int64)).to(settings.device)
        scores[torch.arange(len(own), device=own.device), own] = -torch.inf
        similarities, indices = scores.topk(count, dim=1)
        indices, similarities = nearest_first(indices, similarities)
        found.indices[block, :count] = indices.cpu().numpy()
        found.similarities[block, :count] = similarities.clamp_(-1.0, 1.0).cpu().numpy()
        progress(min(start + step, len(queries)))
    return found


def recall_at_n(units: np.ndarray, indices: np.ndarray, sample: int, seed: int) -> float | None:
    """Share of the table's neighbours that are as near as the exact N-th, mean over sampled queries.

    Compares similarities, not numbers, so that one clone is as good as another. None when `sample` is 0 or
    there are no neighbours. `units` (n, D) of unit norm, `indices` (n, N), unrestricted.
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
        # Allow two units, since this sum and the matrix product round differently.
        good = (rounded(near) >= rounded(exact[:, -1:]) - 2) & (table != NOBODY)
        hits += int(good.sum())
    return float(hits / (len(queries) * k))
