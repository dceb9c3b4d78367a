"""Base class of enhancers, the frozen embeddings they read, and the trained ID table that some extend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import Candidates, History, Profiles, Rows, Step
from grasp_bench.models.layers import RowTable
from grasp_bench.models.layout import Layout


@dataclass(frozen=True)
class Codes:
    """Semantic IDs: codes (m, L) of items, int64, and the number of codes of each level."""

    codes_mL: Tensor
    sizes: tuple[int, ...]

    def numbered(self) -> Tensor:
        """Return the codes (m, L) numbered through over all levels."""
        firsts = [sum(self.sizes[:level]) for level in range(len(self.sizes))]
        return self.codes_mL + torch.tensor(firsts)


@dataclass(frozen=True)
class Knowledge:
    """Frozen semantic embeddings: rows are users 0..n-1 and items 0..m-1, float32, width D.

    `similar_*` hold the mean of each entity's nearest neighbours (the paper's Ū and Ī, eq. 2), and
    `nearest_users_nN` (int64) their numbers, nearest first, −1 where there are fewer. Tables that the
    enhancer does not read (`EnhancerSettings.reads`) are None. `prefixes` rows may follow the users: their
    profiles at each training token (`data.profile_age`). `codes` are the items' semantic IDs.
    """

    users_nD: Tensor | None = None
    similar_users_nD: Tensor | None = None
    items_mD: Tensor | None = None
    similar_items_mD: Tensor | None = None
    nearest_users_nN: Tensor | None = None
    codes: Codes | None = None
    prefixes: int = 0

    def standardised(self) -> Knowledge:
        """Return it with each column's mean 0 and standard deviation 1 over the users, and over the items.

        Means of neighbours and profiles of prefixes are shifted and scaled by the same numbers, so that a
        mean of neighbours stays their mean. A column that never varies becomes 0.
        """
        users = None if self.users_nD is None else len(self.users_nD) - self.prefixes
        return replace(
            self, **_standardised(self, "users_nD", "similar_users_nD", users),
            **_standardised(self, "items_mD", "similar_items_mD", None),
        )  # fmt: skip


def _standardised(knowledge: Knowledge, own: str, similar: str, rows: int | None) -> dict[str, Any]:
    table_ND = getattr(knowledge, own)
    if table_ND is None:
        return {}
    deviation_D, mean_D = torch.std_mean(table_ND[:rows], dim=0, correction=0)
    scale_D = torch.where(deviation_D > 0, 1 / deviation_D, 0.0)
    tables = {name: getattr(knowledge, name) for name in (own, similar)}
    return {name: (table - mean_D) * scale_D for name, table in tables.items() if table is not None}


def scaled(knowledge: Knowledge | None, settings: Mapping[str, Any]) -> Knowledge | None:
    """Return the embeddings on the scale that `embedding_scale` names."""
    if knowledge is None or settings.get("embedding_scale", "unit") == "unit":
        return knowledge
    return knowledge.standardised()


def covering(knowledge: Knowledge | None, enhancer: str, **rows: int) -> dict[str, Tensor]:
    """Return the named tables of `knowledge`; TrainingError unless each exists with the given rows."""
    found = {name: getattr(knowledge, name) for name in rows} if knowledge is not None else {}
    parts = {name: part for name, part in found.items() if part is not None}
    absent = [name for name in rows if name not in parts]
    if absent:
        raise TrainingError(f"enhancer '{enhancer}' was given no embeddings ({', '.join(absent)})")
    covered = {name: len(part) for name, part in parts.items()}
    if covered != rows:
        raise TrainingError(
            f"embeddings cover {covered}, the split has {rows}",
            hint="run again so that embeddings are made from this split",
        )
    return parts


class Enhancer(nn.Module):
    """Computes item vectors, in a history and as candidates, which may depend on the user.

    Contract (tests/models/test_enhancer_contract.py runs it for every registered enhancer):
    gradients are finite, frozen inputs stay frozen, a candidate's score is the same alone, among
    others and in the whole catalogue, and does not depend on the other users of the batch.
    """

    num_items: int
    # Vectors of an item; the backbone reads each view separately, and states are as wide as all views.
    views: int = 1

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> Enhancer:
        """Build from `spec.model.Model.effective()` and `causal`, whether the backbone never looks ahead;
        `knowledge` holds the tables that the enhancer reads, and is None if it reads none."""
        raise NotImplementedError(f"{cls.__name__} does not implement from_settings")

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Return vectors of the history's tokens (T, d) and of the candidates (S, K, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no embed")

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Return vectors of the history's tokens (T, d)."""
        raise NotImplementedError(f"{type(self).__name__} has no embed_history")

    def catalogue(self) -> Any:
        """Compute the data of all items that scoring reuses in many calls."""
        return None

    def score_candidates(
        self, states_Sd: Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return scores (S, K) of the candidates under the states of their rows."""
        _, vectors_SKd = self.embed(history, candidates, catalogue)
        return (vectors_SKd @ states_Sd.unsqueeze(-1)).squeeze(-1)

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Return scores (B, m) of every item after each whole history."""
        raise NotImplementedError(f"{type(self).__name__} has no score_catalogue")

    def training_vectors(self, items_N: Tensor | None = None) -> Tensor | None:
        """Return vectors (N, views · d) of some or all items, with gradients; None if they depend on the
        user."""
        raise NotImplementedError(f"{type(self).__name__} has no training_vectors")

    def score_shared(self, states_SD: Tensor, history: History, rows: Rows, items_N: Tensor) -> Tensor:
        """Return scores (S, N) of the same N items in each row, with gradients."""
        vectors_ND = self.training_vectors(items_N)
        if vectors_ND is None:
            raise NotImplementedError(f"{type(self).__name__} has no score_shared")
        return states_SD @ vectors_ND.T

    def items_at_once(self, users: int) -> int:
        """Return how many items one call of `score_shared` should score for this number of users."""
        return self.num_items

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Return features (…, F) of (user, item) pairs that training does not change, so callers may keep
        them; None without any."""
        return None

    def profiles(self, users_B: Tensor) -> Profiles | None:
        """Return the user embeddings that `History.profiles` may replace; None if scoring reads none."""
        return None

    def item_vectors(self, catalogue: Any) -> Tensor | None:
        """Return vectors (m, views · d) whose product with a state is the score; None if they depend on the
        user."""
        return None

    def settle(self) -> None:
        """Prepare for single requests: may use more memory, changes no score."""

    def mix(self, views: list[Tensor], layout: Layout) -> list[Tensor]:
        """Combine the views' vectors (T, d), masked items hidden, into the input of the backbone."""
        return views

    def auxiliary_loss(self, step: Step) -> Tensor | None:
        """Return a loss that is added to the main one at each step, or None."""
        return None

    @classmethod
    def context_tokens(cls, settings: Mapping[str, Any]) -> int:
        """Return C, how many vectors `context` gives."""
        return 0

    def context(self, history: History) -> Tensor | None:
        """Return vectors (B, C, d) that the backbone reads before each history, or None."""
        return None

    def loss(self, states_SD: Tensor, targets_S: Tensor) -> Tensor:
        """Return the loss of states (S, D) that predict items (S,), in place of `training.loss`; asked
        for if the settings class says `own_loss`."""
        raise NotImplementedError(f"{type(self).__name__} has no loss of its own")


class ItemTable(Enhancer):
    """The same vector for every user, tied between input and output, initially Xavier-normal."""

    def __init__(self, num_items: int, width: int) -> None:
        super().__init__()
        self.num_items = num_items
        self.table = RowTable(num_items, width)
        nn.init.xavier_normal_(self.table.weight)

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Look up rows of the table."""
        return self.table(history.items_T), self.table(candidates.items_SK)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Look up rows of the table."""
        return self.table(history.items_T)

    def training_vectors(self, items_N: Tensor | None = None) -> Tensor:
        """Return rows of the table, or the table."""
        return self.table.weight if items_N is None else self.table(items_N)

    def item_vectors(self, catalogue: Any) -> Tensor:
        """Return the table."""
        return self.table.weight

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Multiply the states by the table."""
        return states_Bd @ self.table.weight.T


class NoEnhancer(ItemTable):
    """No enhancer: learned ID embeddings, as the backbones were published."""

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> NoEnhancer:
        """Build from `spec.model.Model.effective()`."""
        return cls(num_items, settings["embedding_dim"])
