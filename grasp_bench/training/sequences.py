"""Training sequences as flat tensors on the device, and batches of users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError


@dataclass(frozen=True)
class Sequences:
    """The training part of every user.

    Attributes:
        items_flat: int64; user after user, in order. offsets: int64 (n + 1); user u's items are
        `items_flat[offsets[u]:offsets[u + 1]]`. num_items: size of the catalogue. readers_flat: int64; the
        profile that reads each item and predicts the next one; None: the user's final
            profile (else that at this position, `data.profile_age`).
        tied_with_previous: bool; items in one step with the item before (`time_ties: block`), which are not
            its targets; None: there are none.
    """

    items_flat: Tensor
    offsets: Tensor
    num_items: int
    readers_flat: Tensor | None = None
    tied_with_previous: Tensor | None = None

    @cached_property
    def host_offsets(self) -> Tensor:
        """`offsets` on the CPU, where batches are laid out without waiting for a device."""
        return self.offsets.cpu()

    @cached_property
    def popularity(self) -> Tensor:
        """Each item's share of the training interactions, (num_items,)."""
        return self.items_flat.bincount(minlength=self.num_items) / len(self.items_flat)

    def users_flat(self) -> Tensor:
        """The user of each item of `items_flat`."""
        users = torch.arange(len(self.offsets) - 1, device=self.offsets.device)
        return torch.repeat_interleave(users, self.offsets.diff())

    def readers(self) -> Tensor:
        """The profile row for each item of `items_flat`."""
        return self.users_flat() if self.readers_flat is None else self.readers_flat

    def trainable_users(self) -> Tensor:
        """Users with at least two training steps: one as input, one as target."""
        begins = torch.ones(len(self.items_flat), dtype=torch.int64, device=self.offsets.device)
        if self.tied_with_previous is not None:
            begins -= self.tied_with_previous.long()
        before = torch.nn.functional.pad(begins.cumsum(0), (1, 0))[self.offsets]
        users = (before.diff() >= 2).nonzero().squeeze(1)
        if not len(users):
            raise DataError(
                "no user has two training interactions, so there is nothing to learn from",
                hint="raise dataset.min_user or use more data",
            )
        return users

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the users of one epoch in random order, `batch_size` at a time, on the CPU."""
        users = self.trainable_users()
        order = torch.randperm(len(users), generator=generator, device=users.device)
        yield from users[order].cpu().split(batch_size)
