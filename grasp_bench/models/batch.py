"""What a recommender is asked: the histories it reads and the candidates it scores.

Shape suffixes: B sequences (one user each), T tokens of all histories, S rows of candidates, K
candidates a row, F constant features of a (user, item) pair.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from grasp_bench.models.layout import Layout


@dataclass(frozen=True)
class Profiles:
    """What is known of B users, where it is not what an enhancer was built with: their own embeddings and
    the means of their neighbours', both (B, D)."""

    own_BD: Tensor
    similar_BD: Tensor


@dataclass(frozen=True)
class History:
    """Flat item sequences of B users.

    `features_TF` are the enhancer's `pair_features`, if known. `masked_T` (bool) marks items that the
    backbone does not get to see: their vectors do not matter, and no other vector may depend on them.
    `profiles` stand in for the rows of `users_B`, of which nothing is then read.
    """

    users_B: Tensor
    items_T: Tensor
    layout: Layout
    features_TF: Tensor | None = None
    masked_T: Tensor | None = None
    profiles: Profiles | None = None

    def users_T(self) -> Tensor:
        """The user of each token."""
        return self.users_B[self.layout.sequence_T]


@dataclass(frozen=True)
class Candidates:
    """K items to score in each of S rows.

    Row s belongs to sequence `sequence_S[s]` and stands behind `prior_S[s]` of its items: position
    + 1 when the next item is predicted, the position itself when a masked item is filled in, the
    whole length at inference.
    """

    items_SK: Tensor
    sequence_S: Tensor
    prior_S: Tensor
    features_SKF: Tensor | None = None


@dataclass(frozen=True)
class Rows:
    """S rows that are to be scored against the same items; as `Candidates`, without their items.

    `sequence_S` ascends. `readers_S` says whose profile sees each row's items; None: that of the user.
    """

    sequence_S: Tensor
    prior_S: Tensor
    readers_S: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """A training step, as an enhancer's extra loss sees it.

    Attributes:
        history: what the backbone read of the batch's users.
        states_TD: the state at each of its tokens.
        targets_S: items that the step predicts.
        read: item vectors of the enhancer (T, width) and their layout to states, once more.
        without_dropout: where `read` leaves dropout out.
        histories: what training reads of any users, (E,) distinct numbers.
        generator: source of the step's random numbers.
    """

    history: History
    states_TD: Tensor
    targets_S: Tensor
    read: Callable[[Tensor, Layout], Tensor]
    without_dropout: Callable[[], AbstractContextManager[None]]
    histories: Callable[[Tensor], History]
    generator: torch.Generator
