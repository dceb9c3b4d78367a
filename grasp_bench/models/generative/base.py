"""Base class of models that bring a network of their own, and read no backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Knowledge

# The score of an item beyond the best ones: above −inf, which the ranker gives to what is no candidate.
UNRANKED = torch.finfo(torch.float32).min


class WholeModel(nn.Module):
    """Reads a history and scores its next item: an enhancer with `whole_model` builds one.

    Contract (tests/models/test_whole_models.py): a candidate's score is the same alone, among others
    and in the whole catalogue as far as that is ranked, and does not depend on the other users of the
    batch; gradients are finite.

    Attributes:
        num_items: m, the items of the catalogue.
        examples: histories that a user gives in an epoch, each up to an item drawn at random; None for all.
        every_position: `loss` predicts the items of a history, too: a user gives one, up to the last item.
        exact_catalogue: `score_catalogue` gives the scores of all items; else UNRANKED beyond the best ones.
    """

    num_items: int
    examples: int | None = 1
    every_position: bool = False
    exact_catalogue: bool = True

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> WholeModel:
        """Build from `spec.model.Model.effective()`."""
        raise NotImplementedError(f"{cls.__name__} does not implement from_settings")

    def loss(self, history: History, targets_B: Tensor) -> Tensor:
        """Return the loss, a mean over histories, of the items (B,) that follow them."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def catalogue(self) -> Any:
        """Compute the data of all items that scoring reuses in many calls."""
        return None

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Return None: there are no features of pairs that training does not change."""
        return None

    def floats_of_state(self, max_len: int) -> int:
        """Return how many floats the state of a user takes at most, and those in between."""
        return 0

    def states(self, history: History, catalogue: Any) -> Any:
        """Encode each history."""
        raise NotImplementedError(f"{type(self).__name__} has no states")

    def score_candidates(
        self, states: Any, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return scores (B, K) of a few candidates per user."""
        raise NotImplementedError(f"{type(self).__name__} has no score_candidates")

    def score_catalogue(self, states: Any, history: History, catalogue: Any) -> Tensor:
        """Return scores (B, m) of all items, UNRANKED beyond the best ones without `exact_catalogue`."""
        raise NotImplementedError(f"{type(self).__name__} has no score_catalogue")
