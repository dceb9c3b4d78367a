"""LLM-ESR: two views of an item, distillation from similar users (Liu et al., NeurIPS 2024)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.backbones.attention_block import SelfAttention
from grasp_bench.models.batch import Candidates, History, Step
from grasp_bench.models.enhancers.base import Enhancer, Knowledge, covering, scaled
from grasp_bench.models.enhancers.llminit import principal_components
from grasp_bench.models.layers import RowTable
from grasp_bench.models.layout import Layout


class LLMESR(Enhancer):
    """Two vectors per item, one backbone that reads both, and a distillation loss from similar users.

    With I the frozen item embeddings (D), E an ID table initialised with their principal components:

        semantic s_i = W₂(W₁ i + b₁) + b₂  (D → D/2 → d),  collaborative c_i = E_i
        ĉ, ŝ = CA(c, s)                    each attends to the other (`CrossAttention`)
        o = [f(ĉ) ‖ f(ŝ)]                  the same backbone f on both, width 2d
        ŷ_i = o · [c_i ‖ s_i]
        L = L_rec + α MSE(o_u, (1/N) Σ_v o_v),   v among the N users most similar to u

    N is `index.num_neighbours`. The similar users' states are targets without gradients, computed once per
    distinct user of a batch, at each history's own length. For u and v alike, o is the state after the last
    item that a training step reads. Targets use no dropout unless `distil_dropout` is set: the paper does
    not specify it, the released code keeps it on. The adapter has no activation between its layers, so it is
    applied as the single matrix W₂W₁, which is exact.
    """

    views = 2
    items_mD: Tensor
    nearest_users_nN: Tensor

    def __init__(
        self, items_mD: Tensor, nearest_users_nN: Tensor, collaborative_md: Tensor, adapter_hidden: int,
        distil_weight: float, distil_dropout: bool, cross_attention: CrossAttention | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_items, dim = items_mD.shape
        width = collaborative_md.shape[1]
        self.collaborative = RowTable.from_pretrained(collaborative_md, freeze=False)
        self.reduce = nn.Linear(dim, adapter_hidden)
        self.adapt = nn.Linear(adapter_hidden, width)
        for layer in (self.reduce, self.adapt):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.cross_attention = cross_attention
        self.distil_weight = distil_weight
        self.distil_dropout = distil_dropout
        # Frozen and already in the store: buffers, and no part of a checkpoint.
        self.register_buffer("items_mD", items_mD, persistent=False)
        self.register_buffer("nearest_users_nN", nearest_users_nN, persistent=False)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> LLMESR:
        """Build from `spec.model.Model.effective()` and `causal`, whether the backbone never looks ahead.

        `embedding_scale` concerns the semantic view alone; the ID table starts from unit vectors.
        """
        known = covering(knowledge, "llmesr", items_mD=num_items, nearest_users_nN=num_users)
        items_mD = known["items_mD"]
        semantic_mD = covering(scaled(knowledge, settings), "llmesr", items_mD=num_items)["items_mD"]
        width = settings["embedding_dim"]
        if settings["collaborative_init"] == "pca":
            collaborative_md = principal_components(items_mD, width)
        else:
            collaborative_md = nn.init.xavier_normal_(torch.empty(num_items, width))
        crossing = None
        if settings["cross_attention"]:
            crossing = CrossAttention(
                width, settings["max_len"], settings["cross_heads"], settings["dropout"],
                settings["causal"], settings["cross_residual"],
            )  # fmt: skip
        hidden = settings["adapter_hidden"] or items_mD.shape[1] // 2
        return cls(
            semantic_mD, known["nearest_users_nN"], collaborative_md, hidden, settings["distil_weight"],
            settings["distil_dropout"], crossing,
        )  # fmt: skip

    def embed(self, history: History, candidates: Candidates, catalogue: Any = None) -> tuple[Tensor, Tensor]:
        """Return vectors of history (T, 2d) and candidates (S, K, 2d); each distinct item is adapted once."""
        tokens = history.items_T.shape[0]
        items_P = torch.cat([history.items_T, candidates.items_SK.flatten()])
        vectors_P2d = self._vectors(items_P, catalogue)
        return vectors_P2d[:tokens], vectors_P2d[tokens:].view(*candidates.items_SK.shape, -1)

    def embed_history(self, history: History, catalogue: Any = None) -> Tensor:
        """Return vectors of the history (T, 2d)."""
        return self._vectors(history.items_T, catalogue)

    def mix(self, views: list[Tensor], layout: Layout) -> list[Tensor]:
        """Let each view (T, d) attend to the other."""
        return views if self.cross_attention is None else self.cross_attention(views, layout)

    def catalogue(self) -> Tensor:
        """Return both vectors of every item, (m, 2d)."""
        return torch.cat([self.collaborative.weight, self._semantic(self.items_mD)], dim=-1)

    def training_vectors(self, items_N: Tensor | None = None) -> Tensor:
        """Return both vectors side by side."""
        return self.catalogue() if items_N is None else self._vectors(items_N, None)

    def item_vectors(self, catalogue: Any) -> Tensor:
        """Return both vectors of every item (m, 2d)."""
        return catalogue

    def score_catalogue(self, states_Bd: Tensor, history: History, catalogue: Any) -> Tensor:
        """Return scores (B, m) under states (B, 2d)."""
        return states_Bd @ catalogue.T

    def auxiliary_loss(self, step: Step) -> Tensor | None:
        """Return α times the mean squared distance of users' states (B, 2d) to their similar users' mean."""
        if self.distil_weight == 0:
            return None
        nearest_BN = self.nearest_users_nN[step.history.users_B]
        is_there_BN = nearest_BN >= 0
        nearest_P = nearest_BN[is_there_BN]
        if not len(nearest_P):
            return None
        with torch.no_grad(), nullcontext() if self.distil_dropout else step.without_dropout():
            similar = step.histories(nearest_P.unique())
            states_T2d = step.read(self.embed_history(similar), similar.layout)
            row_n = torch.empty(len(self.nearest_users_nN), dtype=torch.int64, device=nearest_P.device)
            row_n[similar.users_B] = torch.arange(len(similar.users_B), device=nearest_P.device)
            count_B = is_there_BN.sum(1)
            mean_B2d = F.embedding_bag(
                row_n[nearest_P], states_T2d[similar.layout.last_B], count_B.cumsum(0) - count_B, mode="mean"
            )
        own_B2d = step.states_TD[step.history.layout.last_B]
        has_any_B = count_B > 0
        distance = F.mse_loss(own_B2d[has_any_B].float(), mean_B2d[has_any_B].float())
        return self.distil_weight * distance

    def _vectors(self, items_P: Tensor, catalogue: Any) -> Tensor:
        if catalogue is not None:
            return catalogue.index_select(0, items_P)
        distinct_E, row_P = items_P.unique(return_inverse=True)
        semantic_Ed = self._semantic(self.items_mD.index_select(0, distinct_E))
        return torch.cat([self.collaborative(items_P), semantic_Ed.index_select(0, row_P)], dim=-1)

    def _semantic(self, items_ED: Tensor) -> Tensor:
        folded_dD = self.adapt.weight @ self.reduce.weight
        return F.linear(items_ED, folded_dD, F.linear(self.reduce.bias, self.adapt.weight, self.adapt.bias))


class CrossAttention(nn.Module):
    """Cross-attention between the two views: each view's items are queries to the other view's items.

        ĉ = softmax(QKᵀ/√d_k) V   with Q of s, and K and V of c;   ŝ with the two exchanged

    The paper gives no further details. As in the released code, learned positions, counted from the end and
    shared by both views, are added to vectors scaled by √d before the projections. The output is scaled back,
    because backbones scale their input themselves. Attention is causal if the backbone's is. `residual` adds
    a view's own vectors, which neither the paper nor its code does.
    """

    def __init__(
        self, width: int, max_len: int, heads: int, dropout: float, causal: bool, residual: bool
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.residual = residual
        self.positions = RowTable(max_len, width)
        self.first_to_second = SelfAttention(width, heads, dropout, causal)
        self.second_to_first = SelfAttention(width, heads, dropout, causal)
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2:
                nn.init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, views: list[Tensor], layout: Layout) -> list[Tensor]:
        """Turn two views (T, d) into two views (T, d)."""
        positions_TD = self.positions(layout.from_end_T())
        placed = [view * self.scale + positions_TD for view in views]
        mixed = [
            self.second_to_first(placed[1], placed[0], layout) / self.scale,
            self.first_to_second(placed[0], placed[1], layout) / self.scale,
        ]
        return [view + new for view, new in zip(views, mixed, strict=True)] if self.residual else mixed
