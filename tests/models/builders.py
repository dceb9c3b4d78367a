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
    """Effective settings of a small model; `kept_layers` is read by `llm` alone."""
    small = {"embedding_dim": 8, "max_len": 12, "dropout": 0.3, "kept_layers": 1}
    return Model(**{**small, **changes}).effective()
