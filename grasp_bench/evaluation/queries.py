"""What an evaluation asks: for each of Q users, a history, a target and its stored negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        readers_flat: int64; whose profile reads each item, if not its user's as it is at last.
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
                mend="run again: the candidates belong to another split",
            )
        lengths = self.offsets[self.users_Q + 1] - self.offsets[self.users_Q]
        if len(lengths) and int(lengths.min()) < 1:
            user = int(self.users_Q[lengths.argmin()])
            raise DataError(f"user number {user} has a target but no history to predict it from")

    def __len__(self) -> int:
        return len(self.users_Q)

    def redrawn(self, count: int, draws: torch.Generator) -> Queries:
        """The same queries with `count` of the negatives of each, drawn without replacement."""
        keys_QK = torch.rand(self.negatives_QK.shape, generator=draws, device=self.negatives_QK.device)
        return replace(self, negatives_QK=self.negatives_QK.gather(1, keys_QK.topk(count, dim=1).indices))


def append_items(items_flat: Tensor, offsets: Tensor, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Put more items behind the sequences of some users: new flat items and offsets.

    A user may come several times; the items are put there in the order given. The test's histories are the
    training part with what happened before the test target behind it.
    """
    num_users = len(offsets) - 1
    owners = torch.arange(num_users, device=offsets.device).repeat_interleave(offsets.diff())
    # Stable: within a user, what was there stays before what is new.
    owners, order = torch.cat([owners, users]).sort(stable=True)
    lengths = torch.bincount(owners, minlength=num_users)
    return torch.cat([items_flat, items])[order], torch.cat([offsets[:1], lengths.cumsum(0)])
