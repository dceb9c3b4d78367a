"""The queries of an evaluation: for each of Q users, a history, a target and its stored negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.core.errors import DataError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Queries:
    """Tensors on one device.

    Attributes:
        users_Q, targets_Q: int64; one held-out item per evaluated user.
        negatives_QK: int64; the stored candidates beside the target.
        items_flat: int64; known items of all users, user after user, in order.
        offsets: int64 (n + 1); user u's items are `items_flat[offsets[u]:offsets[u + 1]]`.
        readers_flat: int64; the profile that reads each item; None: the user's final one.
    """

    users_Q: Tensor
    targets_Q: Tensor
    negatives_QK: Tensor
    items_flat: Tensor
    offsets: Tensor
    readers_flat: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.users_Q) == len(self.targets_Q) == len(self.negatives_QK):
            raise DataError(
                f"{len(self.users_Q)} users, {len(self.targets_Q)} targets and "
                f"{len(self.negatives_QK)} rows of candidates do not fit together",
                hint="run again: the candidates belong to another split",
            )
        lengths = self.offsets[self.users_Q + 1] - self.offsets[self.users_Q]
        if len(lengths) and int(lengths.min()) < 1:
            user = int(self.users_Q[lengths.argmin()])
            raise DataError(f"user number {user} has a target but no history to predict it from")

    def __len__(self) -> int:
        return len(self.users_Q)

    def redrawn(self, count: int, draws: torch.Generator) -> Queries:
        """Draw `count` of each query's negatives, without replacement."""
        keys_QK = torch.rand(self.negatives_QK.shape, generator=draws, device=self.negatives_QK.device)
        return replace(self, negatives_QK=self.negatives_QK.gather(1, keys_QK.topk(count, dim=1).indices))


def append_items(items_flat: Tensor, offsets: Tensor, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Append items to the sequences of users, in the order given: new flat items and offsets.

    A user may occur several times. Test histories are the training part plus the items before the test
    target.
    """
    num_users = len(offsets) - 1
    owners = torch.arange(num_users, device=offsets.device).repeat_interleave(offsets.diff())
    # A stable sort keeps a user's old items before the new ones.
    owners, order = torch.cat([owners, users]).sort(stable=True)
    lengths = torch.bincount(owners, minlength=num_users)
    return torch.cat([items_flat, items])[order], torch.cat([offsets[:1], lengths.cumsum(0)])


def hidden_pairs(queries: Queries, num_items: int, exclude_history: bool) -> Ints:
    """Known pairs user · m + item that are not candidates, ascending; a target is always a candidate."""
    if not exclude_history:
        return np.empty(0, dtype=np.int64)
    users = torch.repeat_interleave(torch.arange(len(queries.offsets) - 1), queries.offsets.diff().cpu())
    targets = queries.users_Q.cpu() * num_items + queries.targets_Q.cpu()
    return np.setdiff1d((users * num_items + queries.items_flat.cpu()).numpy(), targets.numpy())


def pool_sizes(queries: Queries, num_items: int, hidden: Ints) -> Ints:
    """Number of items that each target is ranked among in full ranking, itself included, (Q,)."""
    per_user = np.bincount(hidden // num_items, minlength=len(queries.offsets) - 1)
    return np.asarray(num_items - per_user[queries.users_Q.cpu().numpy()])
