"""Uniform negatives that are never an item of the user's own training history."""

from __future__ import annotations

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.training.sequences import Sequences


class NegativeSampler:
    """Draws and rejects in bulk: a pair (user, item) is one integer, looked up in a sorted table.

    Only the training part counts as history. Rejecting held-out items too would tell the model
    which items never are negatives, and so where the test lies.
    """

    def __init__(self, sequences: Sequences) -> None:
        self.num_items = sequences.num_items
        keys = sequences.users_flat() * self.num_items + sequences.items_flat
        self.known_keys = keys.unique()
        distinct = torch.bincount(self.known_keys // self.num_items, minlength=len(sequences.offsets) - 1)
        if len(distinct) and int(distinct.max()) >= self.num_items:
            raise DataError(
                f"user number {int(distinct.argmax())} has taken every item, so no negative is left for them",
                mend="drop the user or train on a larger catalogue",
            )

    def draw(self, users_S: Tensor, generator: torch.Generator) -> Tensor:
        """One negative item (S,) for each of the users (S,)."""
        items_S = torch.randint(self.num_items, users_S.shape, generator=generator, device=users_S.device)
        rejected = self._known(users_S, items_S).nonzero().squeeze(1)
        while len(rejected):
            redrawn = torch.randint(
                self.num_items, rejected.shape, generator=generator, device=users_S.device
            )
            items_S[rejected] = redrawn
            rejected = rejected[self._known(users_S[rejected], redrawn)]
        return items_S

    def _known(self, users: Tensor, items: Tensor) -> Tensor:
        keys = users * self.num_items + items
        place = torch.searchsorted(self.known_keys, keys).clamp_max(len(self.known_keys) - 1)
        return self.known_keys[place] == keys
