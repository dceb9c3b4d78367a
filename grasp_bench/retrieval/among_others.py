"""Neighbours among n entities of rows that are none of them, though they may be about one of them."""

from __future__ import annotations

import numpy as np
import torch

from grasp_bench.retrieval.exact import BYTES_PER_SCORE
from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings, no_progress
from grasp_bench.retrieval.ordering import nearest_first


def nearest_among(
    entities: np.ndarray, queries: np.ndarray, owners: np.ndarray, settings: SearchSettings,
    progress: Progress = no_progress,
) -> Neighbours:  # fmt: skip
    """Nearest of (n, D) unit vectors to each of (Q, D), the row's own entity (Q,) left out; exact.

    Memory is bounded by blocks; between equal similarities at the edge the searcher's choice stands.
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
