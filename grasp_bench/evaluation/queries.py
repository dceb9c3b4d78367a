"""What an evaluation asks: for each of Q users, a history, a target and its stored negatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError


@dataclass(frozen=True)
class Queries:
    """Tensors on one device.

    Attributes:
        users_Q, targets_Q: int64; one held-out item per evaluated user.
        negatives_QK: int64; the stored candidates beside the target.
        items_flat: int64; known items of all users, user after user, in order.
        offsets: int64 (n + 1); user u's items are `items_flat[offsets[u]:offsets[u + 1]]`.
    """

    users_Q: Tensor
    targets_Q: Tensor
    negatives_QK: Tensor
    items_flat: Tensor
    offsets: Tensor

    def __post_init__(self) -> None:
        if not len(self.users_Q) == len(self.targets_Q) == len(self.negatives_QK):
            raise DataError(
                f"{len(self.users_Q)} users, {len(self.targets_Q)} targets and "
                f"{len(self.negatives_QK)} rows of candidates do not fit together",
                mend="run again: the candidates belong to another split",
            )
        lengths = self.offsets[self.users_Q + 1] - self.offsets[self.users_Q]
        if len(lengths) and int(lengths.min()) < 1:
            user = int(self.users_Q[lengths.argmin()])
            raise DataError(f"user number {user} has a target but no history to predict it from")

    def __len__(self) -> int:
        return len(self.users_Q)


def append_items(items_flat: Tensor, offsets: Tensor, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Put one more item behind the sequences of some (distinct) users: new flat items and offsets.

    The test's histories are the training part with the validation item behind it.
    """
    grown = torch.zeros(len(offsets) - 1, dtype=torch.int64, device=offsets.device)
    grown[users] = 1
    shift = torch.cat([grown.new_zeros(1), grown.cumsum(0)])
    new_offsets = offsets + shift
    flat = items_flat.new_empty(len(items_flat) + len(users))
    owner = torch.repeat_interleave(torch.arange(len(grown), device=offsets.device), offsets.diff())
    flat[torch.arange(len(items_flat), device=offsets.device) + shift[owner]] = items_flat
    flat[new_offsets[users + 1] - 1] = items
    return flat, new_offsets
