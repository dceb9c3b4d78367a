"""Users' embeddings as context before a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grasp_bench.models.enhancers.base import Knowledge, covering

TABLES = {"none": (), "user": ("users_nD",), "user_and_neighbours": ("users_nD", "similar_users_nD")}


class UserContext(nn.Module):
    """Vectors of a user and of similar users, (B, C, d): each frozen embedding through its own linear layer.

    GRASP's user-side knowledge without its attention; `context` says which are read.
    """

    def __init__(self, tables: tuple[Tensor, ...], width: int) -> None:
        super().__init__()
        self.names = [f"table_{number}" for number in range(len(tables))]
        self.layers = nn.ModuleList(nn.Linear(table.shape[1], width) for table in tables)
        for name, table in zip(self.names, tables, strict=True):
            # Frozen and already in the store: buffers, and no part of a checkpoint.
            self.register_buffer(name, table, persistent=False)
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, knowledge: Knowledge | None
    ) -> UserContext:
        """Build from the keys `context` and `embedding_dim`."""
        names = TABLES[settings["context"]]
        known = covering(knowledge, settings["enhancer"], **dict.fromkeys(names, num_users)) if names else {}
        return cls(tuple(known[name] for name in names), settings["embedding_dim"])

    def forward(self, users_B: Tensor) -> Tensor | None:
        """Return the vectors of users, (B, C, d); None without any."""
        if not self.names:
            return None
        rows = [
            layer(getattr(self, name)[users_B]) for name, layer in zip(self.names, self.layers, strict=True)
        ]
        return torch.stack(rows, dim=1)
