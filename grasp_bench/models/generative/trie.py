"""The trie of existing codes.

Shape suffixes: m items, L levels, N nodes of a level, K codes of a level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grasp_bench.models.enhancers.base import Codes


class Trie(nn.Module):
    """Prefixes of codes, numbered in lexicographic order within their level; level 0 is the empty prefix.

    Attributes:
        leaves: number of nodes of the last level.
        leaf_m: each item's node of the last level.
    """

    leaf_m: Tensor

    def __init__(self, codes: Codes) -> None:
        super().__init__()
        self.levels = len(codes.sizes)
        node_m = torch.zeros(len(codes.codes_mL), dtype=torch.int64)
        nodes = 1
        for level, size in enumerate(codes.sizes):
            edge_m = node_m * size + codes.codes_mL[:, level]
            edges_N, node_m = edge_m.unique(return_inverse=True)
            following = torch.full((nodes * size,), -1)
            following[edges_N] = torch.arange(len(edges_N))
            self._keep(f"next_{level}", following.view(nodes, size))
            self._keep(f"parents_{level + 1}", edges_N // size)
            self._keep(f"codes_{level + 1}", edges_N % size)
            nodes = len(edges_N)
        self.leaves = nodes
        self._keep("leaf_m", node_m)

    def next_nodes(self, level: int) -> Tensor:
        """Return the nodes of level + 1 that a level's nodes lead to by each code, (N, K), −1 for none."""
        return self._kept(f"next_{level}")

    def parents(self, level: int) -> Tensor:
        """Return the nodes of level − 1 before those of a level, (N,)."""
        return self._kept(f"parents_{level}")

    def last_codes(self, level: int) -> Tensor:
        """Return the codes that lead to the nodes of a level, (N,)."""
        return self._kept(f"codes_{level}")

    def _keep(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values, persistent=False)

    def _kept(self, name: str) -> Tensor:
        found = getattr(self, name)
        assert isinstance(found, Tensor)
        return found
