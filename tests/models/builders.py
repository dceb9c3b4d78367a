"""Small random recommenders and histories for the model tests."""

from __future__ import annotations

import torch

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.layout import Layout
from grasp_bench.spec.model import Model

NUM_USERS, NUM_ITEMS, DIM = 6, 23, 10


def random_knowledge(scale: float = 1.0) -> Knowledge:
    """Embeddings wide enough in value that weights differ from one half."""
    generator = torch.Generator().manual_seed(3)

    def table(rows: int) -> torch.Tensor:
        return scale * torch.randn(rows, DIM, generator=generator)

    nearest = torch.tensor([[1, 2], [0, -1], [4, 5], [-1, -1], [2, 0], [3, 1]])
    return Knowledge(table(NUM_USERS), table(NUM_USERS), table(NUM_ITEMS), table(NUM_ITEMS), nearest)


def model_settings(**changes: object) -> dict[str, object]:
    """Effective settings of a small model."""
    return Model(**{"embedding_dim": 8, "max_len": 12, "dropout": 0.3, **changes}).effective()


def random_history(lengths: list[int], users: list[int] | None = None) -> History:
    """Random items for each sequence."""
    generator = torch.Generator().manual_seed(len(lengths))
    layout = Layout(torch.tensor(lengths))
    items = torch.randint(NUM_ITEMS, (sum(lengths),), generator=generator)
    return History(torch.tensor(users or list(range(len(lengths)))), items, layout)


def behind(history: History, items: torch.Tensor) -> Candidates:
    """Candidates (B, K) behind each whole history."""
    layout = history.layout
    return Candidates(items, torch.arange(layout.batch), layout.lengths_B)
