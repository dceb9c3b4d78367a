"""Inputs of a recommender: the histories that it reads and the candidates that it scores.

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
    """Embeddings of B users that replace those of the enhancer: their own and the means of their neighbours',
    both (B, D)."""

    own_BD: Tensor
    similar_BD: Tensor


@dataclass(frozen=True)
class History:
    """Flat item sequences of B users.

    `features_TF` are the enhancer's `pair_features`, if known. `masked_T` (bool) marks items hidden from the
    backbone: their vectors are ignored, and no other vector may depend on them. `profiles` replace the
    embeddings of `users_B`.
    """

    users_B: Tensor
    items_T: Tensor
    layout: Layout
    features_TF: Tensor | None = None
    masked_T: Tensor | None = None
    profiles: Profiles | None = None

    def users_T(self) -> Tensor:
        """Return the user of each token."""
        return self.users_B[self.layout.sequence_T]


@dataclass(frozen=True)
class Candidates:
    """K items to score in each of S rows.

    Row s belongs to sequence `sequence_S[s]` and follows `prior_S[s]` of its items: position + 1 to predict
    the next item, the position itself to fill in a masked item, the whole length at inference.
    """

    items_SK: Tensor
    sequence_S: Tensor
    prior_S: Tensor
    features_SKF: Tensor | None = None


@dataclass(frozen=True)
class Rows:
    """S rows that score the same items: `Candidates` without the items.

    `sequence_S` ascends. `readers_S` is the profile that sees each row's items; None for the user's own.
    """

    sequence_S: Tensor
    prior_S: Tensor
    readers_S: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """A training step, the input of an enhancer's auxiliary loss.

    Attributes:
        history: the histories that the backbone read.
        states_TD: the state at each of their tokens.
        targets_S: items that the step predicts.
        read: runs the backbone again on item vectors (T, width) and their layout; returns states.
        without_dropout: context in which `read` uses no dropout.
        histories: returns the training histories of users, (E,) distinct numbers.
        generator: source of the step's random numbers.
    """

    history: History
    states_TD: Tensor
    targets_S: Tensor
    read: Callable[[Tensor, Layout], Tensor]
    without_dropout: Callable[[], AbstractContextManager[None]]
    histories: Callable[[Tensor], History]
    generator: torch.Generator
