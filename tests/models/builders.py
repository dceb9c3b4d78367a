"""Settings of small models; their random inputs are those of `grasp_bench.testing`."""

from __future__ import annotations

from grasp_bench.spec.model import Model
from grasp_bench.testing.histories import (
    DIM,
    NUM_ITEMS,
    NUM_USERS,
    behind,
    random_history,
    random_knowledge,
)

__all__ = [
    "DIM", "NUM_ITEMS", "NUM_USERS", "behind", "model_settings", "random_history", "random_knowledge",
]  # fmt: skip


def model_settings(**changes: object) -> dict[str, object]:
    """Effective settings of a small model."""
    return Model(**{"embedding_dim": 8, "max_len": 12, "dropout": 0.3, **changes}).effective()
