"""Search approximately by a navigable small-world graph (Malkov and Yashunin 2018), through hnswlib."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from grasp_bench.retrieval.exact import nearest_of
from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings, nearest_first, no_progress

BLOCK = 4096  # rows added or queried between two reports of progress


class HnswSearcher:
    """Search by hnswlib; the same vectors and seed give the same table.

    One thread builds the graph, since several insert in an order that no seed fixes; queries use all threads.
    Rows with too few results (clones can cut the graph into islands) are searched exactly.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings

    def search(self, units: np.ndarray, progress: Progress = no_progress) -> Neighbours:
        """Neighbours of all rows of (n, D) unit vectors among themselves."""
        n, k = len(units), min(self._settings.num_neighbours, len(units) - 1)
        found = Neighbours.nobody(n, self._settings.num_neighbours)
        if k == 0:
            progress(n)
            return found
        index = self.graph(units, progress)
        # One more than needed, since the entity itself is usually among them; hnswlib raises when there are
        # fewer results than requested.
        index.set_ef(min(max(self._settings.ef_search, k + 1), max(n, k + 1)))
        for start in range(0, n, BLOCK):
            block = units[start : start + BLOCK]
            indices, similarities = self._ask(index, units, block, start, k)
            found.indices[start : start + len(block), :k] = indices
            found.similarities[start : start + len(block), :k] = similarities
            progress((n + start + len(block)) // 2)
        return found

    def graph(self, units: np.ndarray, progress: Progress = no_progress) -> Any:
        """Build the graph over (n, D) unit vectors, for `knn_query` of hnswlib."""
        import hnswlib

        n, dim = units.shape
        index = hnswlib.Index(space="ip", dim=dim)
        index.init_index(
            max_elements=n,
            M=self._settings.m,
            ef_construction=self._settings.ef_construction,
            random_seed=self._settings.seed,
        )
        for start in range(0, n, BLOCK):
            numbers = np.arange(start, min(start + BLOCK, n))
            index.add_items(units[start : start + BLOCK], numbers, num_threads=1)
            progress(int(numbers[-1] + 1) // 2)
        return index

    def _ask(
        self, index: Any, units: np.ndarray, block: np.ndarray, start: int, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.arange(start, start + len(block))
        try:
            labels, distances = index.knn_query(block, k=k + 1, num_threads=self._settings.threads)
        except RuntimeError:  # some row reached fewer than k + 1 others
            return _exactly(units, numbers, k)
        labels = labels.astype(np.int64)
        similarities = np.clip(1.0 - distances, -1.0, 1.0).astype(np.float32)
        # The entity itself may have any rank or, among clones, be absent: remove it by its number, or else
        # the last of the k + 1.
        is_self = labels == numbers[:, None]
        is_self[~is_self.any(axis=1), -1] = True
        indices = labels[~is_self].reshape(len(block), k)
        similarities = similarities[~is_self].reshape(len(block), k)
        ordered = nearest_first(torch.from_numpy(indices), torch.from_numpy(similarities))
        return ordered[0].numpy(), ordered[1].numpy()


def _exactly(units: np.ndarray, numbers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    vectors = torch.from_numpy(units)
    step = max(1, 2**24 // len(units))
    parts = [
        nearest_of(vectors, torch.from_numpy(numbers[at : at + step]), k)
        for at in range(0, len(numbers), step)
    ]
    return torch.cat([p[0] for p in parts]).numpy(), torch.cat([p[1] for p in parts]).numpy()
