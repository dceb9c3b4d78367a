"""Sample negatives: one per position, outside the user's items, or several shared by a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grasp_bench.core.errors import DataError
from grasp_bench.training.sequences import Sequences


class NegativeSampler:
    """Samples uniformly from the items outside the user's training history, without rejection.

    Of a user's known items k_0 < k_1 < …, those with k_j − j ≤ r precede the r-th unknown item, which is r
    plus their number: one look-up in a sorted table per draw, without synchronising the device. Excluding
    held-out items too would leak the test, since they would never be negatives.
    """

    def __init__(self, sequences: Sequences) -> None:
        self.num_items = sequences.num_items
        known = (sequences.users_flat() * self.num_items + sequences.items_flat).unique()
        users = known // self.num_items
        self.known_U = torch.bincount(users, minlength=len(sequences.offsets) - 1)
        if len(self.known_U) and int(self.known_U.max()) >= self.num_items:
            raise DataError(
                f"user number {int(self.known_U.argmax())} has every item, so there is no negative to sample",
                hint="drop the user or train on a larger catalogue",
            )
        self.first_U = self.known_U.cumsum(0) - self.known_U
        place_in_user = torch.arange(len(known), device=known.device) - self.first_U[users]
        self.keys = known - place_in_user  # user · m + (k_j − j), ascending

    def draw(self, users_S: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one negative item (S,) for each of the users (S,)."""
        left_S = self.num_items - self.known_U[users_S]
        drawn_S = torch.rand(users_S.shape, dtype=torch.float64, generator=generator, device=users_S.device)
        place_S = (drawn_S * left_S).long()
        before_S = torch.searchsorted(self.keys, users_S * self.num_items + place_S, right=True)
        return place_S + before_S - self.first_U[users_S]


@dataclass(frozen=True)
class SharedNegatives:
    """Draws `count` items with replacement per batch, shared by all its positions.

    They may be in a user's history; a position ignores its own target among them (`training.losses`).
    """

    sequences: Sequences
    count: int
    sampling: str

    def draw(self, targets_S: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw items (N,), and return the logarithm of the expected count of each (N,)."""
        source = {"popularity": self.sequences.items_flat, "in_batch": targets_S}.get(self.sampling)
        most = self.sequences.num_items if source is None else len(source)
        drawn_N = torch.randint(most, (self.count,), generator=generator, device=targets_S.device)
        if source is None:
            chances_N = torch.full((self.count,), 1 / most, device=targets_S.device)
            return drawn_N, (self.count * chances_N).log()
        items_N = source[drawn_N]
        return items_N, (self.count * self.sequences.popularity[items_N]).log()
