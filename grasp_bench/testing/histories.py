"""Small random inputs of models and controls, the same in every call."""

from __future__ import annotations

import torch
from torch import Tensor

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Codes, Knowledge
from grasp_bench.models.layout import Layout

WIDTH, LONGEST = 8, 12
NUM_USERS, NUM_ITEMS, DIM = 6, 23, 10


def random_knowledge(scale: float = 1.0) -> Knowledge:
    """Return embeddings of all users and items, the nearest users of each, and codes of the items."""
    generator = torch.Generator().manual_seed(3)

    def table(rows: int) -> Tensor:
        return scale * torch.randn(rows, DIM, generator=generator)

    nearest = torch.tensor([[1, 2], [0, -1], [4, 5], [-1, -1], [2, 0], [3, 1]])
    tables = (table(NUM_USERS), table(NUM_USERS), table(NUM_ITEMS), table(NUM_ITEMS))
    return Knowledge(*tables, nearest, random_codes())


def random_codes() -> Codes:
    """Return codes of all items, no two alike; levels differ in size."""
    sizes = (4, 3, 5)
    drawn = torch.randperm(4 * 3 * 5, generator=torch.Generator().manual_seed(3))[:NUM_ITEMS]
    return Codes(torch.stack([drawn // 15, drawn // 5 % 3, drawn % 5], dim=1), sizes)


def random_history(lengths: list[int], users: list[int] | None = None) -> History:
    """Return sequences of random items."""
    generator = torch.Generator().manual_seed(len(lengths))
    items = torch.randint(NUM_ITEMS, (sum(lengths),), generator=generator)
    return History(torch.tensor(users or list(range(len(lengths)))), items, Layout(torch.tensor(lengths)))


def behind(history: History, items_BK: Tensor) -> Candidates:
    """Return candidates (B, K) after each whole history."""
    return Candidates(items_BK, torch.arange(history.layout.batch), history.layout.lengths_B)


def agree(found: Tensor, expected: Tensor, what: str, tolerance: float = 1e-5) -> None:
    """Raise AssertionError, saying what differs, unless two tensors are equal up to a tolerance."""
    torch.testing.assert_close(
        found, expected, rtol=tolerance, atol=tolerance, msg=lambda said: f"{what}: {said}"
    )
