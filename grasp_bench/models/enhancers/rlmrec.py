"""RLMRec: learned representations aligned with semantic ones (Ren et al., WWW 2024), for sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grasp_bench.models.batch import Step
from grasp_bench.models.enhancers.base import ItemTable, Knowledge, covering


class RLMRec(ItemTable):
    """An ID table, and an alignment loss beside the backbone's own: L = L_rec + λ (L_items + L_users).

    With s the frozen semantic embedding (D) of an entity and e its learned representation (d), which is the
    state after the training history for a user and the row of the table for an item:

      - contrastive: −log exp(cos(e_i, g(s_i))/τ) / Σ_j exp(cos(e_i, g(s_j))/τ), g: D → (D+d)/2 → d;
      - generative: a share of the history's items is replaced by a learned mask and read once more;
        −log exp(cos(g(h_i), s_i)/τ) / Σ_j exp(cos(g(h_i), s_j)/τ), g: d → (D+d)/2 → D, where h_i is
        the state at a masked item i, or the last one for the user.

    RLMRec was published for graphs. For sequences, j runs over the batch (over all entities in the released
    code) and the aligned items are those that the batch predicts. As released, one g serves users and items,
    λ = 0.01 and τ = 0.2. `align` selects one side.
    """

    items_mD: Tensor
    users_nD: Tensor

    def __init__(
        self, items_mD: Tensor, users_nD: Tensor, width: int, alignment: str, align: str, weight: float,
        temperature: float, mask_share: float,
    ) -> None:  # fmt: skip
        super().__init__(len(items_mD), width)
        self.generative = alignment == "generative"
        self.sides = ("items", "users") if align == "both" else (align,)
        self.weight, self.temperature, self.mask_share = weight, temperature, mask_share
        dim = items_mD.shape[1]
        ends = (width, dim) if self.generative else (dim, width)
        middle = (width + dim) // 2
        first, last = nn.Linear(ends[0], middle), nn.Linear(middle, ends[1])
        for layer in (first, last):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.map = nn.Sequential(first, nn.LeakyReLU(), last)
        if self.generative:
            self.mask = nn.Parameter(nn.init.xavier_normal_(torch.empty(1, width)))
        # Frozen and already in the store: buffers, and no part of a checkpoint.
        self.register_buffer("items_mD", items_mD, persistent=False)
        self.register_buffer("users_nD", users_nD, persistent=False)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], num_users: int, num_items: int, knowledge: Knowledge | None
    ) -> RLMRec:
        """Build from `spec.model.Model.effective()`."""
        known = covering(knowledge, "rlmrec", items_mD=num_items, users_nD=num_users)
        return cls(
            known["items_mD"], known["users_nD"], settings["embedding_dim"], settings["alignment"],
            settings["align"], settings["align_weight"], settings["align_temperature"],
            settings["mask_share"],
        )  # fmt: skip

    def auxiliary_loss(self, step: Step) -> Tensor:
        """Return λ times the mean InfoNCE of items and of users."""
        return self.weight * (self._generative(step) if self.generative else self._contrastive(step))

    def _contrastive(self, step: Step) -> Tensor:
        losses = []
        if "items" in self.sides:
            items_E = step.targets_S.unique()
            learned_Ed, known_Ed = self.table(items_E), self.map(self.items_mD[items_E])
            losses.append(info_nce(learned_Ed, known_Ed, items_E, self.temperature))
        if "users" in self.sides:
            users_B, layout = step.history.users_B, step.history.layout
            learned_Bd, known_Bd = step.states_TD[layout.last_B], self.map(self.users_nD[users_B])
            losses.append(info_nce(learned_Bd, known_Bd, users_B, self.temperature))
        return torch.stack(losses).sum()

    def _generative(self, step: Step) -> Tensor:
        history = step.history
        drawn_T = torch.rand(len(history.items_T), generator=step.generator, device=history.items_T.device)
        masked_T = drawn_T < self.mask_share
        masked_T[drawn_T.argmin()] = True  # a small batch may draw none
        vectors_Td = torch.where(masked_T[:, None], self.mask, self.table(history.items_T))
        rebuilt_TD = self.map(step.read(vectors_Td, history.layout))
        losses = []
        if "items" in self.sides:
            items_M = history.items_T[masked_T]
            losses.append(info_nce(rebuilt_TD[masked_T], self.items_mD[items_M], items_M, self.temperature))
        if "users" in self.sides:
            rebuilt_BD = rebuilt_TD[history.layout.last_B]
            known_BD = self.users_nD[history.users_B]
            losses.append(info_nce(rebuilt_BD, known_BD, history.users_B, self.temperature))
        return torch.stack(losses).sum()


def info_nce(anchors_PD: Tensor, targets_PD: Tensor, owners_P: Tensor, temperature: float) -> Tensor:
    """Mean of −log(exp(cos(a_i, t_i)/τ) / Σ_j exp(cos(a_i, t_j)/τ)) over P pairs (van den Oord et al., 2018).

    `owners_P` is the entity of each pair: another pair of the same entity is no negative.
    """
    # In float32 also under autocast: cosines over a small temperature need more than three digits.
    anchors, targets = (F.normalize(side.float(), dim=-1) for side in (anchors_PD, targets_PD))
    logits_PP = anchors @ targets.T / temperature
    same_PP = owners_P[:, None] == owners_P
    same_PP.fill_diagonal_(False)
    logits_PP = logits_PP.masked_fill(same_PP, float("-inf"))
    return (logits_PP.logsumexp(dim=1) - logits_PP.diagonal()).mean()
