"""A recommender: one enhancer under one backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer, Knowledge
from grasp_bench.models.registry import BACKBONES, ENHANCERS


class Recommender(nn.Module):
    """The enhancer gives item vectors, the backbone turns a history of them into a state o, and
    ŷ = o · i (eq. 6)."""

    def __init__(self, backbone: Backbone, enhancer: Enhancer) -> None:
        super().__init__()
        self.backbone = backbone
        self.enhancer = enhancer

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> Recommender:
        """Build from `spec.model.Model.effective()`. Draws initial weights from torch's global generator."""
        enhancer = ENHANCERS.get(settings["enhancer"])
        backbone = BACKBONES.get(settings["backbone"])
        return cls(
            backbone.from_settings(settings),
            enhancer.from_settings(settings, num_users, num_items, knowledge),
        )

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """The state behind each whole history, (B, d): what predicts its next item."""
        vectors_Td = self.enhancer.embed_history(history, catalogue)
        vectors_Td, layout = self.backbone.prepare_history(vectors_Td, history.layout)
        return self.backbone(vectors_Td, layout)[layout.last_B]

    @property
    def num_items(self) -> int:
        """Items of the catalogue."""
        return self.enhancer.num_items

    def catalogue(self) -> Any:
        """What scoring needs of all items, computed once and passed to many calls."""
        return self.enhancer.catalogue()

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Features (…, F) of (user, item) pairs that training does not change; None without."""
        return self.enhancer.pair_features(users_P, items_P)

    def score_candidates(
        self, states_Bd: Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Scores (B, K) of a few candidates per user."""
        return self.enhancer.score_candidates(states_Bd, history, candidates, catalogue)

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Scores (B, m) of all items."""
        return self.enhancer.score_catalogue(states_Bd, history, catalogue)
