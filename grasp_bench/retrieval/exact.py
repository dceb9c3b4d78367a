"""Exact search: blocked matrix products, memory bounded, order of ties declared."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings, no_progress
from grasp_bench.retrieval.ordering import nearest_first, rounded

# Score block, its copy in top-k, and int64 keys of the rows that have ties at the edge.
BYTES_PER_SCORE = 4 + 4 + 8 + 8


class ExactSearcher:
    """Compares every pair. `settings.memory_mb` bounds the blocks; the result does not depend on it."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings

    def search(self, units: np.ndarray, progress: Progress = no_progress) -> Neighbours:
        """Neighbours of all rows of (n, D) unit vectors among themselves."""
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
    """Indices and cosines (B, min(k, N - 1)) of the nearest others of some rows, nearest first."""
    n = len(vectors_ND)
    k = min(k, n - 1)
    if k == 0:
        empty = torch.empty(len(rows_B), 0, device=vectors_ND.device)
        return empty.long(), empty
    scores_BN = vectors_ND[rows_B] @ vectors_ND.T
    # An entity is left out by its number: a clone of it has the same similarity and stays in.
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
    """Top k where similarity and number are one whole number, so that no two are equal."""
    n = scores_TN.shape[1]
    keys = rounded(scores_TN.clamp(min=-2.0)) * n + torch.arange(n - 1, -1, -1, device=scores_TN.device)
    return keys.topk(k, dim=1).indices
