"""The recommender: item vectors of an enhancer, read by a backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core.errors import PluginError
from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.backbones.checks import check_backbone
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer, Knowledge
from grasp_bench.models.enhancers.checks import check_enhancer
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.layout import Layout


def build_model(
    settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
) -> Recommender | WholeModel:
    """Build the model of `spec.model.Model.effective()`. Draws initial weights from torch's global
    generator."""
    name = settings["enhancer"]
    if not ENHANCERS.get(name).whole_model:
        return Recommender.from_settings(settings, num_users, num_items, knowledge)
    with ENHANCERS.blamed(name):
        built = ENHANCERS.implementation(name).from_settings(settings, num_users, num_items, knowledge)
    if not isinstance(built, WholeModel):
        raise PluginError(
            f"enhancer '{name}': from_settings returned {type(built).__name__}",
            hint="return a subclass of grasp_bench.models.generative.base.WholeModel",
        )
    return built


class Recommender(nn.Module):
    """A backbone over the item vectors of an enhancer.

    The backbone turns the vectors of a history into a state o, and ŷ = o · i (eq. 6). An enhancer with
    several views gives an item as many vectors, side by side.
    """

    def __init__(self, backbone: Backbone, enhancer: Enhancer, own_loss: bool = False) -> None:
        super().__init__()
        self.own_loss = own_loss
        self.backbone = backbone
        self.enhancer = enhancer

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> Recommender:
        """Build from `spec.model.Model.effective()`. Draws initial weights from torch's global generator."""
        enhancer = ENHANCERS.implementation(settings["enhancer"])
        with ENHANCERS.blamed(settings["enhancer"]):
            before = enhancer.context_tokens(settings)
        with BACKBONES.blamed(settings["backbone"]):
            backbone = BACKBONES.implementation(settings["backbone"]).from_settings(
                {**settings, "max_len": settings["max_len"] + before}
            )
        if BACKBONES.version(settings["backbone"]) is not None:
            check_backbone(backbone, settings["backbone"], settings["embedding_dim"])
        informed, name = {**settings, "causal": backbone.causal}, settings["enhancer"]
        with ENHANCERS.blamed(name):
            built = enhancer.from_settings(informed, num_users, num_items, knowledge)
        if ENHANCERS.version(name) is not None:
            check_enhancer(built, name, settings["embedding_dim"])
        return cls(backbone, built, ENHANCERS.get(name).own_loss)

    def read(
        self,
        vectors_TD: Tensor,
        layout: Layout,
        masked_T: Tensor | None = None,
        context_BCD: Tensor | None = None,
    ) -> Tensor:
        """Turn item vectors (T, views · d) into states (T, views · d), with masked items hidden and
        behind the enhancer's context."""
        views = self._views(vectors_TD)
        if masked_T is not None:
            views = [self.backbone.hide(view, masked_T) for view in views]
        return self._states(views, layout, context_BCD)

    @contextmanager
    def without_dropout(self) -> Iterator[None]:
        """Switch to evaluation mode inside the context."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """Return the state after each whole history, (B, views · d), which predicts its next item."""
        views = self._views(self.enhancer.embed_history(history, catalogue))
        prepared = [self.backbone.prepare_history(view, history.layout) for view in views]
        layout = prepared[0][1]
        context_BCD = self.enhancer.context(history)
        return self._states([view for view, _ in prepared], layout, context_BCD)[layout.last_B]

    @property
    def num_items(self) -> int:
        """Return the number of items in the catalogue."""
        return self.enhancer.num_items

    def catalogue(self) -> Any:
        """Compute the data of all items that scoring reuses in many calls."""
        return self.enhancer.catalogue()

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Return features (…, F) of (user, item) pairs that training does not change; None without any."""
        return self.enhancer.pair_features(users_P, items_P)

    def score_candidates(
        self, states_Bd: Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Return scores (B, K) of a few candidates per user."""
        return self.enhancer.score_candidates(states_Bd, history, candidates, catalogue)

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Return scores (B, m) of all items."""
        return self.enhancer.score_catalogue(states_Bd, history, catalogue)

    def _views(self, vectors_TD: Tensor) -> list[Tensor]:
        return list(vectors_TD.chunk(self.enhancer.views, dim=-1))

    def _states(self, views: list[Tensor], layout: Layout, context_BCD: Tensor | None = None) -> Tensor:
        mixed = self.enhancer.mix(views, layout)
        if context_BCD is None:
            states = [self.backbone(view, layout) for view in mixed]
        else:
            states = []
            for view in mixed:
                whole, place_T, extended = layout.preceded_by(context_BCD, view)
                states.append(self.backbone(whole, extended)[place_T])
        return states[0] if len(states) == 1 else torch.cat(states, dim=-1)
